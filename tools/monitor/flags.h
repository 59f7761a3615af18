// The flags that say how a run is measured; the same in eval, study and bench.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tinyllm::monitor {

struct MonitorFlags {
    double interval = 0.1;  ///< seconds from sample to sample; 0: nothing is measured
    double idle = 0.5;      ///< seconds of rest before the run whose power is taken off; 0: none
    double cooldown = 0;    ///< °C; 0: nobody waits
    double max_temp = 0;    ///< °C; 0: none
    double patience = 600;  ///< seconds that a hot board is waited for
};

/// Adds --sample-interval and --idle.
void add_monitor_flags(CLI::App& app, MonitorFlags& flags);
/// Adds --cooldown and --cooldown-limit.
void add_cooldown_flags(CLI::App& app, MonitorFlags& flags);
/// Adds --max-temp.
void add_max_temp_flag(CLI::App& app, MonitorFlags& flags);

/// "0.5", "0.5s", "100ms", "2m" or "1h" in seconds; "60", "60C" in degrees. Throw CLI::ValidationError.
double parse_seconds(const std::string& text);
double parse_celsius(const std::string& text);
/// parse_seconds() of a time from sample to sample: 0, or at least a millisecond, in which sensors can be
/// read.
double parse_interval(const std::string& text);

/// An option that takes "0.5", "0.5s", "100ms", "2m" or "1h"; at most a year.
CLI::Option* add_seconds(CLI::App& app, const std::string& name, double& seconds, const std::string& help);

}  // namespace tinyllm::monitor
