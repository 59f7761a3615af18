#include "tools/monitor/trace.h"

#include <algorithm>
#include <cmath>

namespace tinyllm::monitor {
namespace {

void raise(std::optional<double>& most, const std::optional<double>& value) {
    if (value) most = std::max(most.value_or(*value), *value);
}

/// "cpu4-7", "gpu", "GPU 0"; not "GPU 0 memory".
bool is_clock_of(const Channel& channel, std::string_view lower) {
    const std::string_view name = channel.name;
    return channel.quantity == Quantity::clock && name.size() >= lower.size() &&
           name.find("memory") == std::string_view::npos &&
           std::equal(lower.begin(), lower.end(), name.begin(),
                      [](char a, char b) { return a == (b | 0x20); });
}

double rounded(double value, double steps) {
    return std::round(value * steps) / steps;
}

}  // namespace

void Trace::Point::add(const Point& later) {
    time.add(later.time);
    power.add(later.power);
    raise(temperature, later.temperature);
    raise(cpu, later.cpu);
    raise(gpu, later.gpu);
    raise(throttled, later.throttled);
}

Trace::Trace(std::vector<Channel> channels, std::size_t most)
    : channels_(std::move(channels)), most_(std::max<std::size_t>(most, 2)), last_(channels_.size()) {}

// As energy_of(): the rail of the whole board, else the parts together.
std::optional<double> Trace::power(double now, std::span<const std::optional<double>> values) {
    const bool whole = std::any_of(channels_.begin(), channels_.end(),
                                   [](const Channel& channel) { return channel.covers == Covers::whole; });
    const double seconds = now - last_time_;
    std::optional<double> watts = 0;
    bool any = false;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        if (channels_[i].covers != (whole ? Covers::whole : Covers::part)) continue;
        any = true;
        std::optional<double> part = values[i];
        if (channels_[i].quantity == Quantity::energy) {
            part = values[i] && last_[i] && seconds > 0
                       ? std::optional(std::max(*values[i] - *last_[i], 0.0) / seconds)
                       : std::nullopt;
            last_[i] = values[i];
        }
        watts = watts && part ? std::optional(*watts + *part) : std::nullopt;
    }
    last_time_ = now;
    return any ? watts : std::nullopt;
}

void Trace::add(double now, std::span<const std::optional<double>> values) {
    Point point;
    point.time.add(now);
    if (const auto watts = power(now, values)) point.power.add(*watts);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        const Channel& channel = channels_[i];
        if (channel.quantity == Quantity::temperature) raise(point.temperature, values[i]);
        if (channel.quantity == Quantity::throttle) raise(point.throttled, values[i]);
        if (is_clock_of(channel, "cpu")) raise(point.cpu, values[i]);
        if (is_clock_of(channel, "gpu")) raise(point.gpu, values[i]);
    }
    if (!points_.empty() && points_.back().time.n < per_point_) {
        points_.back().add(point);
    } else {
        points_.push_back(point);
    }
    thin();
}

void Trace::add(const Trace& later) {
    if (channels_.empty()) channels_ = later.channels_;
    points_.insert(points_.end(), later.points_.begin(), later.points_.end());
    per_point_ = std::max(per_point_, later.per_point_);
    thin();
}

// Neighbours become one, until few enough are left.
void Trace::thin() {
    while (points_.size() > most_) {
        std::vector<Point> fewer;
        for (std::size_t i = 0; i < points_.size(); i += 2) {
            fewer.push_back(points_[i]);
            if (i + 1 < points_.size()) fewer.back().add(points_[i + 1]);
        }
        points_ = std::move(fewer);
        per_point_ *= 2;
    }
}

Json Trace::json(double start) const {
    if (points_.empty()) return nullptr;
    Json json = {{"t", Json::array()}};
    for (const Point& p : points_)
        json["t"].push_back(rounded(p.time.sum / static_cast<double>(p.time.n) - start, 100));
    const auto column = [&](const char* key, double steps, auto&& value) {
        Json list = Json::array();
        bool any = false;
        for (const Point& p : points_) {
            const std::optional<double> v = value(p);
            any = any || v;
            list.push_back(v ? Json(rounded(*v, steps)) : Json());
        }
        json[key] = any ? std::move(list) : Json();
    };
    column("power_W", 1000, [](const Point& p) {
        return p.power.n ? std::optional(p.power.sum / static_cast<double>(p.power.n)) : std::nullopt;
    });
    column("temp_C", 10, [](const Point& p) { return p.temperature; });
    column("cpu_MHz", 1, [](const Point& p) { return p.cpu; });
    column("gpu_MHz", 1, [](const Point& p) { return p.gpu; });
    column("throttled", 1, [](const Point& p) { return p.throttled; });
    return json;
}

}  // namespace tinyllm::monitor
