// What `tinyllm monitor` writes, one JSON document a line:
//   {"schema": "tinyllm.monitor/1", "date", "interval_s", "command", "notes": [...], "power_mode",
//   "governor"}
//   {"t": seconds, "power_W": {name: value, ...}, "energy_J": {...}, "temp_C": {...}, ...}   one per sample
//   {"summary": {...}}                                                                       usage_json()
// Quantities that the board does not measure are absent, readings that failed null.
#pragma once

#include "tools/monitor/sampler.h"

namespace tinyllm::monitor {

Json log_header(double interval, const std::vector<std::string>& command,
                const std::vector<std::string>& notes, const Json& facts);
Json log_sample(double t, const std::vector<Channel>& channels,
                std::span<const std::optional<double>> values);

/// The samples of a text of tegrastats lines, `interval` seconds apart, each handed to `on_sample`; their
/// figures. Throws Error(corrupt) if no line has a reading, naming `path`.
Window replay_tegrastats(const std::string& text, const std::string& path, double interval,
                         const std::function<void(double t, const std::vector<Channel>& channels,
                                                  std::span<const std::optional<double>> values)>& on_sample);

}  // namespace tinyllm::monitor
