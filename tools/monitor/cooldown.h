// Waiting for a hot board.
#pragma once

#include "tools/monitor/flags.h"
#include "tools/monitor/sampler.h"

namespace tinyllm::monitor {

/// Throws Error(runtime) if --cooldown or --max-temp is given and no temperature can be read: a guard that
/// guards nothing would be none.
void check_temperature_guards(const MonitorFlags& flags);

/// Waits until the hottest sensor is at `celsius` or below, `limit` seconds at most; says what it waits for.
/// True once it is. A board whose sensors fell silent counts as cool.
bool wait_until_cool(Sampler& sampler, double celsius, double limit, const std::string& before);

}  // namespace tinyllm::monitor
