// Figures over a stretch of samples: means by time, energy by trapezoids or by counters.
#pragma once

#include <span>

#include "tools/monitor/trace.h"

namespace tinyllm::monitor {

struct ChannelFigures {
    std::size_t n = 0;  ///< readings; what follows is 0 without one
    double first = 0, last = 0, least = 0, most = 0, sum = 0;
    double covered = 0;   ///< seconds between readings near enough to one another
    double integral = 0;  ///< over those: value x seconds; of an energy counter its increase

    /// By time where there is any, else over the readings.
    double mean() const { return covered > 0 ? integral / covered : sum / static_cast<double>(n); }
};

class Window {
  public:
    Window() = default;
    /// `interval`: seconds from sample to sample. Readings far more apart have an unknown between them.
    Window(std::vector<Channel> channels, double interval);

    void add(double now, std::span<const std::optional<double>> values);
    /// Puts a later stretch of the same channels behind this one; what lay between counts for nothing.
    void add(const Window& later);

    const std::vector<Channel>& channels() const { return channels_; }
    const ChannelFigures& figures(std::size_t channel) const { return figures_[channel]; }
    double seconds() const { return seconds_; }
    std::size_t samples() const { return samples_; }
    double interval() const { return interval_; }
    const Trace& trace() const { return trace_; }

  private:
    std::vector<Channel> channels_;
    std::vector<ChannelFigures> figures_;
    std::vector<std::optional<double>> last_time_;
    double interval_ = 0, seconds_ = 0, last_sample_ = 0;
    std::size_t samples_ = 0;
    Trace trace_;
};

/// Energy of a stretch, and what it is the energy of ("VDD_IN", "package-0 + GPU 0"); W where it is one
/// reading. Nothing if the board does not measure it, or did not for more than a tenth of the time.
struct Energy {
    double joules = 0;
    std::string of;
    std::optional<double> most_watts;
};
std::optional<Energy> energy_of(const Window& window);

}  // namespace tinyllm::monitor
