// A stretch of samples thinned to a few points, to draw heat and power over time.
#pragma once

#include <span>
#include <vector>

#include "tools/monitor/sensor.h"

namespace tinyllm::monitor {

class Trace {
  public:
    Trace() = default;
    /// `most`: points that json() gives at most, at least 2.
    explicit Trace(std::vector<Channel> channels, std::size_t most = kMostPoints);

    void add(double now, std::span<const std::optional<double>> values);
    /// Puts a later stretch behind this one.
    void add(const Trace& later);

    /// {"t": [seconds since `start`], "power_W", "temp_C", "cpu_MHz", "gpu_MHz", "throttled"}, one entry a
    /// point. Power is the mean of what energy_of() adds up; temperature that of the hottest sensor, clocks
    /// those of the fastest cluster, at their highest; throttled: 1 if so at any moment. A quantity without
    /// a reading is null. null without points.
    Json json(double start) const;

    static constexpr std::size_t kMostPoints = 64;

  private:
    struct Mean {
        double sum = 0;
        std::size_t n = 0;
        void add(double value) { sum += value, ++n; }
        void add(const Mean& other) { sum += other.sum, n += other.n; }
    };
    struct Point {
        Mean time, power;
        std::optional<double> temperature, cpu, gpu, throttled;
        void add(const Point& later);
    };

    std::optional<double> power(double now, std::span<const std::optional<double>> values);
    void thin();

    std::vector<Channel> channels_;
    std::vector<Point> points_;
    std::size_t most_ = kMostPoints;
    std::size_t per_point_ = 1;                ///< samples
    std::vector<std::optional<double>> last_;  ///< of the energy counters
    double last_time_ = 0;
};

}  // namespace tinyllm::monitor
