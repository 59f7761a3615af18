#include "tools/monitor/usage.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/board.h"

namespace tinyllm::monitor {
namespace {

template <typename T>
Json number_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

/// {name: value} of the channels of a quantity that were read; null if there is none.
template <typename F>
Json by_name(const Window& window, Quantity quantity, F&& value) {
    Json json;
    for (std::size_t i = 0; i < window.channels().size(); ++i)
        if (window.channels()[i].quantity == quantity && window.figures(i).n > 0)
            json[window.channels()[i].name] = value(window.figures(i));
    return json;
}

const ChannelFigures* figures_of(const Window& window, Quantity quantity, const std::string& name) {
    for (std::size_t i = 0; i < window.channels().size(); ++i)
        if (window.channels()[i].quantity == quantity && window.channels()[i].name == name &&
            window.figures(i).n > 0)
            return &window.figures(i);
    return nullptr;
}

Json bytes(const ChannelFigures* figures, double ChannelFigures::*which) {
    return figures ? Json(static_cast<std::int64_t>(figures->*which)) : Json();
}

void add_temperature(Json& usage, const Window& window) {
    std::optional<double> most, start;
    std::string sensor;
    for (std::size_t i = 0; i < window.channels().size(); ++i) {
        const ChannelFigures& f = window.figures(i);
        if (window.channels()[i].quantity != Quantity::temperature || f.n == 0) continue;
        start = std::max(start.value_or(f.first), f.first);
        if (most && f.most <= *most) continue;
        most = f.most;
        sensor = window.channels()[i].name;
    }
    usage["temp_C"] = number_or_null(most);
    usage["temp_start_C"] = number_or_null(start);
    usage["temp_sensor"] = most ? Json(sensor) : Json();
}

void add_throttling(Json& usage, const Window& window) {
    bool known = false;
    Json reasons = Json::array();
    for (std::size_t i = 0; i < window.channels().size(); ++i) {
        if (window.channels()[i].quantity != Quantity::throttle || window.figures(i).n == 0) continue;
        known = true;
        if (window.figures(i).most > 0) reasons.push_back(window.channels()[i].name);
    }
    usage["throttled"] = known ? Json(!reasons.empty()) : Json();
    usage["throttle_reasons"] = known ? reasons : Json();
}

/// The fullest device's.
Json device_peak(const Window& window) {
    Json peak;
    for (std::size_t i = 0; i < window.channels().size(); ++i) {
        if (window.channels()[i].quantity != Quantity::device_memory || window.figures(i).n == 0) continue;
        const auto most = static_cast<std::int64_t>(window.figures(i).most);
        peak = peak.is_null() ? most : std::max(peak.get<std::int64_t>(), most);
    }
    return peak;
}

std::string shown_number(const Json& usage, const std::string& key, const char* unit, int decimals) {
    const auto value = measured(usage, key);
    return value ? fmt::format("{:.{}f} {}", *value, decimals, unit) : std::string("not measured");
}

std::string shown_list(const Json& group, const char* unit, double scale, int decimals) {
    if (group.is_null()) return "not measured";
    std::string text;
    for (const auto& [name, value] : group.items()) {
        const Json& mean = value.is_object() ? value.at("mean") : value;
        text += fmt::format("{}{} {:.{}f}{}", text.empty() ? "" : ", ", name, mean.get<double>() * scale,
                            decimals, unit);
    }
    return text;
}

std::string shown_memory(const Json& memory, const char* key) {
    return memory.at(key).is_null() ? "not measured" : show_bytes(memory.at(key).get<std::int64_t>());
}

}  // namespace

Json usage_json(const Window& window, const std::optional<double>& idle_watts, const Json& facts) {
    const auto energy = energy_of(window);
    const double seconds = window.seconds();
    Json usage = {{"seconds", seconds}, {"samples", window.samples()}, {"interval_s", window.interval()}};
    usage["energy_J"] = energy ? Json(energy->joules) : Json();
    usage["energy_net_J"] = energy && idle_watts ? Json(energy->joules - *idle_watts * seconds) : Json();
    usage["energy_of"] = energy ? Json(energy->of) : Json();
    usage["power_W"] = energy && seconds > 0 ? Json(energy->joules / seconds) : Json();
    usage["power_most_W"] = energy ? number_or_null(energy->most_watts) : Json();
    usage["idle_W"] = number_or_null(idle_watts);
    add_temperature(usage, window);
    add_throttling(usage, window);
    usage["clocks"] = by_name(window, Quantity::clock, [](const ChannelFigures& f) {
        return Json{{"mean", f.mean()}, {"least", f.least}, {"most", f.most}};
    });
    usage["load"] = by_name(window, Quantity::load, [](const ChannelFigures& f) { return Json(f.mean()); });
    usage["rails_W"] =
        by_name(window, Quantity::power, [](const ChannelFigures& f) { return Json(f.mean()); });
    for (const char* fact : {"power_mode", "governor"}) usage[fact] = facts.value(fact, Json());
    const ChannelFigures* pressure = figures_of(window, Quantity::pressure, "memory");
    usage["memory"] = {
        {"device_peak", device_peak(window)},
        {"available_least", bytes(figures_of(window, Quantity::memory, "available"), &ChannelFigures::least)},
        {"cgroup_peak", bytes(figures_of(window, Quantity::memory, "cgroup_peak"), &ChannelFigures::most)},
        {"pressure_most", pressure ? Json(pressure->most) : Json()}};
    return usage;
}

void add_joules_per_question(Json& usage, std::size_t questions, double correct) {
    const auto over = [&](const char* key, double n) {
        const auto joules = measured(usage, key);
        return joules && n > 0 ? Json(*joules / n) : Json();
    };
    const auto n = static_cast<double>(questions);
    usage["joules_per_question"] = over("energy_J", n);
    usage["joules_per_question_net"] = over("energy_net_J", n);
    usage["joules_per_correct"] = over("energy_J", correct);
}

std::optional<double> measured(const Json& usage, const std::string& key) {
    if (!usage.is_object()) return {};
    const auto found = usage.find(key);
    if (found == usage.end() || !found->is_number()) return {};
    return found->get<double>();
}

std::string usage_words(const Json& usage) {
    std::string text = fmt::format("time          {:.2f} s, {} samples\n", usage.at("seconds").get<double>(),
                                   usage.at("samples").get<std::size_t>());
    text += "energy        " + shown_number(usage, "energy_J", "J", 2);
    if (usage.at("energy_of").is_string())
        text += fmt::format(" ({}), above idle {}", usage.at("energy_of").get<std::string>(),
                            shown_number(usage, "energy_net_J", "J", 2));
    text += "\npower         " + shown_number(usage, "power_W", "W", 2);
    if (measured(usage, "idle_W")) text += ", idle " + shown_number(usage, "idle_W", "W", 2);
    if (measured(usage, "power_most_W")) text += ", at most " + shown_number(usage, "power_most_W", "W", 2);
    text += "\ntemperature   " + shown_number(usage, "temp_C", "°C at most", 1);
    if (usage.at("temp_sensor").is_string())
        text += fmt::format(" ({}), {} at the start", usage.at("temp_sensor").get<std::string>(),
                            shown_number(usage, "temp_start_C", "°C", 1));
    text += "\nthrottled     ";
    if (usage.at("throttled").is_null()) {
        text += "not measured";
    } else {
        std::string reasons;
        for (const Json& reason : usage.at("throttle_reasons"))
            reasons += (reasons.empty() ? "" : ", ") + reason.get<std::string>();
        text += reasons.empty() ? "no" : reasons;
    }
    text += "\nclocks        " + shown_list(usage.at("clocks"), " MHz", 1, 0);
    text += "\nload          " + shown_list(usage.at("load"), " %", 100, 0);
    const Json& memory = usage.at("memory");
    text += "\nmemory        available at least " + shown_memory(memory, "available_least") +
            "; device's at most " + shown_memory(memory, "device_peak");
    text += "\npower mode    ";
    text += usage.at("power_mode").is_string() ? usage.at("power_mode").get<std::string>() : "not measured";
    if (usage.at("governor").is_string()) text += "; governor " + usage.at("governor").get<std::string>();
    return text + "\n";
}

std::string not_measured(const Json& usage, const std::vector<std::string>& notes) {
    std::string text;
    if (!usage.is_object() || usage.at("samples") == 0) return text;
    for (const auto& [key, name] : {std::pair("energy_J", "energy"), {"temp_C", "temperature"}})
        if (!measured(usage, key)) text += (text.empty() ? "" : ", ") + std::string(name);
    if (text.empty()) return text;
    for (const std::string& note : notes) text += "; " + note;
    return text;
}

}  // namespace tinyllm::monitor
