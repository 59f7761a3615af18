#include "tools/study/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tools/eval/text.h"
#include "tools/monitor/usage.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

std::string counted(std::size_t n, const std::string& noun) {
    return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

double mean_chance(const Summary& summary, eval::Protocol protocol, bool constant) {
    double sum = 0;
    std::size_t n = 0;
    for (const std::string& task : summary.tasks)
        if (const CellFigures* any = summary.any(protocol, task)) {
            sum += constant ? any->figures.constant : any->figures.chance;
            ++n;
        }
    return n ? sum / static_cast<double>(n) : 0;
}

// The widest type with figures: what the others are held against.
const Entry* base_of(const Summary& summary, eval::Protocol protocol, const std::string& model) {
    const Entry* base = nullptr;
    for (const Entry* e : summary.of(protocol))
        if (e->model == model && e->average && e->weight_bytes &&
            (!base || *e->weight_bytes > *base->weight_bytes))
            base = e;
    return base;
}

std::string compared(const Entry& base, const Entry& other) {
    const eval::Mean difference = paired_difference(base, other);
    const double points = 100 * difference.value;
    const double error = 100 * difference.stderr_.value_or(0);
    std::string accuracy = fmt::format("accuracy {:+.1f} ± {:.1f} points, ", points, error);
    if (points == 0 && error == 0) {
        accuracy = "the same questions right";
    } else {
        accuracy += std::abs(points) <= 2 * error ? "within the error" : points > 0 ? "better" : "worse";
    }
    const double size = static_cast<double>(*other.weight_bytes) / static_cast<double>(*base.weight_bytes);
    const double speed = base.latency->p50 / other.latency->p50;
    return fmt::format("{} against {}: {:.0f} % of the bytes; {}; median {:.3g} against {:.3g} ms, {}.",
                       other.name(), base.type, 100 * size, accuracy, other.latency->p50, base.latency->p50,
                       speed >= 1.02   ? fmt::format("{:.2f} times as fast", speed)
                       : speed <= 0.98 ? fmt::format("{:.2f} times as slow", 1 / speed)
                                       : std::string("as fast"));
}

std::string about_model(const Summary& summary, eval::Protocol protocol, const std::string& model) {
    const Entry* base = base_of(summary, protocol, model);
    if (!base) return model + " has no complete row of figures.";
    std::string text = fmt::format(
        "{} at {} answers {} right on average (± {:.1f} points; chance {}, best constant answer {}).", model,
        base->type, percent(base->average->value), 100 * base->average->stderr_.value_or(0),
        percent(mean_chance(summary, protocol, false)), percent(mean_chance(summary, protocol, true)));
    std::vector<std::string> clear, unclear;
    for (const CellFigures* cell : base->cells) {
        const auto hits = static_cast<std::size_t>(
            std::lround(cell->figures.acc.value * static_cast<double>(cell->figures.n)));
        const double bar = std::max(cell->figures.constant, cell->figures.chance);
        (eval::wilson(hits, cell->figures.n).low > bar ? clear : unclear).push_back(cell->title);
    }
    std::string names;
    for (const std::string& name : unclear) eval::list_item(names, name);
    if (unclear.empty()) {
        text += " It beats the best constant answer on every task.";
    } else if (clear.empty()) {
        text += " On no task does it clearly beat the best constant answer.";
    } else {
        text += fmt::format(" It clearly beats the best constant answer on {} of {} tasks, not on {}.",
                            clear.size(), base->cells.size(), names);
    }
    return text;
}

void about_types(const Summary& summary, eval::Protocol protocol, const std::string& model,
                 std::vector<std::string>& words) {
    const Entry* base = base_of(summary, protocol, model);
    if (!base) return;
    for (const Entry* e : summary.of(protocol))
        if (e != base && e->model == model && e->average && e->weight_bytes && e->latency)
            words.push_back(compared(*base, *e));
}

std::string about_front(const Summary& summary, eval::Protocol protocol) {
    const auto entries = summary.of(protocol);
    auto names = [](const std::vector<const Entry*>& front) {
        std::string text;
        for (const Entry* e : front) eval::list_item(text, e->name());
        return text;
    };
    const auto by_latency = front(entries, [](const Entry& e) -> std::optional<double> {
        return e.latency ? std::optional(e.latency->p50) : std::nullopt;
    });
    const auto by_size = front(entries, [](const Entry& e) -> std::optional<double> {
        return e.weight_bytes ? std::optional(static_cast<double>(*e.weight_bytes)) : std::nullopt;
    });
    if (by_latency.empty() || by_size.empty()) return "";
    return fmt::format(
        "No other is both more accurate and faster than: {}. No other is both more accurate and smaller "
        "than: {}.",
        names(by_latency), names(by_size));
}

// Under the study's protocol a model that knows no letters answers one of them always.
std::string about_letters(const Summary& summary) {
    std::size_t cells = 0, fixed = 0;
    for (const CellFigures& cell : summary.cells) {
        if (cell.protocol != eval::Protocol::study || !cell.ok()) continue;
        ++cells;
        fixed += *std::max_element(cell.figures.predicted.begin(), cell.figures.predicted.end()) >= 0.9;
    }
    if (cells == 0) return "";
    std::string text = fmt::format(
        "In {} of {} rows of questions one letter makes up at least 90 % of the answers", fixed, cells);
    if (fixed * 2 > cells) {
        text += ": these accuracies show which letter a model prefers more than what it knows.";
    } else {
        text += ".";
    }
    return text;
}

std::string about_missing(const Summary& summary, eval::Protocol protocol) {
    std::map<std::string, std::size_t> by_status;
    for (const CellFigures& cell : summary.cells)
        if (cell.protocol == protocol && !cell.ok()) ++by_status[cell.status];
    if (by_status.empty()) return "";
    std::string list;
    for (const auto& [status, n] : by_status) eval::list_item(list, fmt::format("{} {}", n, status));
    return "Cells without a figure: " + list + ". An average is given only where every task has a figure.";
}

// What the sensors said over all cells, and what none of them said.
std::string about_sensors(const Summary& summary) {
    std::set<std::string> rails, modes;
    std::size_t cells = 0, powered = 0, throttle_known = 0, throttled = 0;
    std::optional<double> hottest, idle;
    for (const CellFigures& cell : summary.cells) {
        if (!cell.ok()) continue;
        ++cells;
        if (!cell.usage.is_object()) continue;
        const auto text = [&](const char* key, std::set<std::string>& into) {
            const Json value = cell.usage.value(key, Json());
            if (value.is_string()) into.insert(value.get<std::string>());
        };
        text("energy_of", rails);
        text("power_mode", modes);
        powered += monitor::measured(cell.usage, "energy_J").has_value();
        if (const auto watts = monitor::measured(cell.usage, "idle_W"))
            idle = std::min(idle.value_or(*watts), *watts);
        if (const auto celsius = monitor::measured(cell.usage, "temp_C"))
            hottest = std::max(hottest.value_or(*celsius), *celsius);
        const Json held = cell.usage.value("throttled", Json());
        throttle_known += held.is_boolean();
        throttled += held.is_boolean() && held.get<bool>();
    }
    if (cells == 0) return "";
    const auto listed = [](const std::set<std::string>& names) {
        std::string list;
        for (const std::string& name : names) eval::list_item(list, name);
        return list;
    };
    std::string text, lacking;
    if (powered > 0) {
        text += fmt::format("Energy is that of {}, measured in {} of {} cells{}. ", listed(rails), powered,
                            cells, idle ? fmt::format("; idle {:.2f} W", *idle) : "");
    } else {
        eval::list_item(lacking, "energy");
    }
    if (hottest) {
        text += fmt::format("The hottest sensor reached {:.1f} °C. ", *hottest);
    } else {
        eval::list_item(lacking, "temperature");
    }
    if (throttle_known > 0) {
        text += throttled > 0 ? fmt::format(
                                    "The board was throttled in {} of {} cells: their times are those "
                                    "of a slowed-down board. ",
                                    throttled, throttle_known)
                              : "The board was not throttled. ";
    } else {
        eval::list_item(lacking, "throttling");
    }
    if (!modes.empty()) text += fmt::format("Power mode {}. ", listed(modes));
    if (!lacking.empty()) text += "Not measured: " + lacking + ". ";
    text.pop_back();
    return text;
}

}  // namespace

std::vector<std::string> words_about_run(const Summary& summary) {
    if (summary.several_boards()) return board_by_board(summary, words_about_run);
    std::size_t ok = 0, answers = 0;
    double ms = 0;
    std::set<std::string> backends;
    for (const CellFigures& cell : summary.cells) {
        if (!cell.ok()) continue;
        ++ok;
        answers += cell.figures.n;
        ms += cell.figures.total_ms;
        backends.insert(cell.load.at("backend").get<std::string>());
    }
    std::string protocols;
    for (eval::Protocol p : summary.protocols) eval::list_item(protocols, eval::protocol_name(p));
    const Json& machine = summary.study.at("machine");
    std::string where =
        machine.at("cpu").is_string() ? machine.at("cpu").get<std::string>() : std::string("an unnamed CPU");
    if (machine.at("board").is_string()) where = machine.at("board").get<std::string>() + ", " + where;
    std::string on;
    for (const std::string& backend : backends) eval::list_item(on, backend);
    std::vector<std::string> words;
    words.push_back(
        fmt::format("{} at {} answered {} under {} ({}): {} of {} cells have a figure, {} answers in {:.1f} "
                    "s of model time.",
                    counted(summary.models.size(), "model"), counted(summary.types.size(), "weight type"),
                    counted(summary.tasks.size(), "task"), counted(summary.protocols.size(), "protocol"),
                    protocols, ok, summary.cells.size(), answers, ms / 1000));
    words.push_back(fmt::format("Measured on {}{}{}.", where, on.empty() ? "" : "; ", on));
    words.push_back(about_sensors(summary));
    std::erase(words, "");
    return words;
}

std::vector<std::string> words_about_figures(const Summary& summary, eval::Protocol protocol) {
    if (summary.several_boards())
        return board_by_board(summary,
                              [&](const Summary& own) { return words_about_figures(own, protocol); });
    std::vector<std::string> words;
    for (const std::string& model : summary.models) words.push_back(about_model(summary, protocol, model));
    if (protocol == eval::Protocol::study) words.push_back(about_letters(summary));
    for (const std::string& model : summary.models) about_types(summary, protocol, model, words);
    words.push_back(about_front(summary, protocol));
    words.push_back(about_missing(summary, protocol));
    std::erase(words, "");
    return words;
}

}  // namespace tinyllm::study
