#include "tools/monitor/window.h"

#include <algorithm>

namespace tinyllm::monitor {
namespace {

constexpr double kLeastCovered = 0.9;

}  // namespace

Window::Window(std::vector<Channel> channels, double interval)
    : channels_(std::move(channels)),
      figures_(channels_.size()),
      last_time_(channels_.size()),
      interval_(interval),
      trace_(channels_) {}

void Window::add(double now, std::span<const std::optional<double>> values) {
    const double longest_gap = std::max(2.5, 4 * interval_);
    if (samples_++ > 0) seconds_ += now - last_sample_;
    last_sample_ = now;
    trace_.add(now, values);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        if (!values[i]) continue;
        const double value = *values[i];
        ChannelFigures& f = figures_[i];
        if (last_time_[i] && now - *last_time_[i] <= longest_gap) {
            const double seconds = now - *last_time_[i];
            f.covered += seconds;
            f.integral += channels_[i].quantity == Quantity::energy ? std::max(value - f.last, 0.0)
                                                                    : (f.last + value) / 2 * seconds;
        }
        if (f.n++ == 0) f.first = f.least = f.most = value;
        f.least = std::min(f.least, value);
        f.most = std::max(f.most, value);
        f.last = value;
        f.sum += value;
        last_time_[i] = now;
    }
}

void Window::add(const Window& later) {
    if (later.samples_ == 0) return;
    if (samples_ == 0) {
        *this = later;
        return;
    }
    seconds_ += later.seconds_;
    samples_ += later.samples_;
    trace_.add(later.trace_);
    for (std::size_t i = 0; i < std::min(figures_.size(), later.figures_.size()); ++i) {
        ChannelFigures& f = figures_[i];
        const ChannelFigures& g = later.figures_[i];
        if (g.n == 0) continue;
        if (f.n == 0) {
            f = g;
            continue;
        }
        f.n += g.n;
        f.sum += g.sum;
        f.covered += g.covered;
        f.integral += g.integral;
        f.last = g.last;
        f.least = std::min(f.least, g.least);
        f.most = std::max(f.most, g.most);
    }
}

std::optional<Energy> energy_of(const Window& window) {
    const auto& channels = window.channels();
    const bool whole = std::any_of(channels.begin(), channels.end(),
                                   [](const Channel& channel) { return channel.covers == Covers::whole; });
    Energy energy;
    std::size_t terms = 0;
    for (std::size_t i = 0; i < channels.size(); ++i) {
        if (channels[i].covers != (whole ? Covers::whole : Covers::part)) continue;
        const ChannelFigures& f = window.figures(i);
        if (f.covered <= 0 || f.covered < kLeastCovered * window.seconds()) return {};
        energy.joules += f.integral * window.seconds() / f.covered;
        energy.of += (terms++ ? " + " : "") + channels[i].name;
        if (channels[i].quantity == Quantity::power) energy.most_watts = f.most;
    }
    if (terms == 0) return {};
    if (terms > 1) energy.most_watts.reset();
    return energy;
}

}  // namespace tinyllm::monitor
