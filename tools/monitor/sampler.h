// A thread that reads the sensors every so often. Whoever asks it for something waits a few seconds at most:
// a driver that hangs costs the figures, not the run.
#pragma once

#include <functional>
#include <memory>

#include "tools/monitor/window.h"

namespace tinyllm::monitor {

struct Hottest {
    double celsius = 0;
    std::string sensor;
};

class Sampler {
  public:
    /// Called by the thread with each sample's time and values.
    using OnSample = std::function<void(double now, std::span<const std::optional<double>> values)>;

    /// `interval`: seconds; 0 looks for no sensor, starts no thread and measures nothing. `process`: whose
    /// memory, 0 for this one.
    explicit Sampler(double interval, pid_t process = 0, OnSample on_sample = {});
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    /// A stretch begins and ends with a sample of its own. One at a time.
    void begin();
    Window end();

    /// Of a sample taken now.
    std::optional<Hottest> hottest();

    /// Mean power of the next `seconds`, in which the caller does nothing. Nothing if no energy is measured.
    std::optional<double> idle_watts(double seconds);

    const std::vector<Channel>& channels() const;
    const std::vector<std::string>& notes() const;
    const Json& facts() const;
    bool measures_energy() const;
    /// Share of one core that the thread took since it started.
    double cost() const;

  private:
    struct Shared;
    bool ask(int what);
    std::shared_ptr<Shared> shared_;
};

}  // namespace tinyllm::monitor
