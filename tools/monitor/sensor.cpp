#include "tools/monitor/sensor.h"

#include <algorithm>
#include <chrono>

namespace tinyllm::monitor {

bool Found::has(Quantity quantity) const {
    return std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
        return std::any_of(source->channels().begin(), source->channels().end(),
                           [&](const Channel& channel) { return channel.quantity == quantity; });
    });
}

std::string_view quantity_key(Quantity quantity) {
    switch (quantity) {
        case Quantity::power:
            return "power_W";
        case Quantity::energy:
            return "energy_J";
        case Quantity::temperature:
            return "temp_C";
        case Quantity::clock:
            return "clock_MHz";
        case Quantity::load:
            return "load";
        case Quantity::memory:
            return "memory_bytes";
        case Quantity::device_memory:
            return "device_memory_bytes";
        case Quantity::pressure:
            return "pressure_percent";
        case Quantity::throttle:
            break;
    }
    return "throttled";
}

const std::vector<Quantity>& all_quantities() {
    static const std::vector<Quantity> all = {
        Quantity::power,  Quantity::energy,        Quantity::temperature, Quantity::clock,   Quantity::load,
        Quantity::memory, Quantity::device_memory, Quantity::pressure,    Quantity::throttle};
    return all;
}

Sensors::Sensors(pid_t process) {
    for (const bool fallback : {false, true})
        for (auto* kind : all_sensors())
            if (kind().fallback == fallback) kind().find(process, found_);
    for (const auto& source : found_.sources)
        channels_.insert(channels_.end(), source->channels().begin(), source->channels().end());
    due_.assign(found_.sources.size(), 0);
}

bool Sensors::measures_energy() const {
    return std::any_of(channels_.begin(), channels_.end(),
                       [](const Channel& channel) { return channel.covers != Covers::detail; });
}

void Sensors::read(double now, std::vector<std::optional<double>>& values) {
    values.resize(channels_.size());
    std::size_t at = 0;
    for (std::size_t i = 0; i < found_.sources.size(); ++i) {
        Source& source = *found_.sources[i];
        const std::size_t n = source.channels().size();
        if (now >= due_[i]) {
            const std::span<std::optional<double>> own = std::span(values).subspan(at, n);
            std::fill(own.begin(), own.end(), std::nullopt);
            source.read(now, own);
            due_[i] = now + source.period();
        }
        at += n;
    }
}

Json readings_json(const std::vector<Channel>& channels, std::span<const std::optional<double>> values) {
    Json json = Json::object();
    for (Quantity quantity : all_quantities()) json[std::string(quantity_key(quantity))] = nullptr;
    for (std::size_t i = 0; i < channels.size(); ++i) {
        Json& group = json[std::string(quantity_key(channels[i].quantity))];
        const Quantity quantity = channels[i].quantity;
        Json value;
        if (values[i] && quantity == Quantity::throttle) {
            value = *values[i] != 0;
        } else if (values[i] && (quantity == Quantity::memory || quantity == Quantity::device_memory)) {
            value = static_cast<std::int64_t>(*values[i]);
        } else if (values[i]) {
            value = *values[i];
        }
        group[channels[i].name] = value;
    }
    return json;
}

double clock_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace tinyllm::monitor
