// What a stretch of samples says, as results carry it. null: not measured.
#pragma once

#include "tools/monitor/sampler.h"

namespace tinyllm::monitor {

/// {"seconds", "samples", "interval_s",
///  "energy_J", "energy_net_J", "energy_of", "power_W", "power_most_W", "idle_W",
///  "temp_C" (the highest of the hottest sensor), "temp_start_C", "temp_sensor",
///  "throttled", "throttle_reasons", "clocks": {name: {"mean", "least", "most"}} in MHz,
///  "load": {name: mean}, "rails_W": {name: mean}, "power_mode", "governor",
///  "memory": {"device_peak", "available_least", "cgroup_peak", "pressure_most"}}
/// Net energy is what `idle_watts` over the same time would not have taken.
Json usage_json(const Window& window, const std::optional<double>& idle_watts, const Json& facts);

/// Adds "joules_per_question", "joules_per_question_net", "joules_per_correct" for `questions` answered in
/// the time of `usage`, `correct` of them right; null where no energy was measured, or nothing to divide by.
void add_joules_per_question(Json& usage, std::size_t questions, double correct);

/// A number under `key`, or nothing.
std::optional<double> measured(const Json& usage, const std::string& key);

/// For people: one line per figure, "not measured" where there is none.
std::string usage_words(const Json& usage);

/// "energy, temperature" of what `usage` lacks, with the notes of the sensors that refused; empty if it has
/// both, or nobody wanted any.
std::string not_measured(const Json& usage, const std::vector<std::string>& notes);

}  // namespace tinyllm::monitor
