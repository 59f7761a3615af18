#include "tools/monitor/cooldown.h"

#include <chrono>
#include <thread>

#include "engine/fail.h"
#include "tools/log.h"

namespace tinyllm::monitor {

void check_temperature_guards(const MonitorFlags& flags) {
    if (flags.cooldown <= 0 && flags.max_temp <= 0) return;
    const char* flag = flags.cooldown > 0 ? "--cooldown" : "--max-temp";
    if (flags.interval <= 0)
        fail(ErrorKind::usage, "{}: --sample-interval 0 leaves nothing that measures the temperature", flag);
    Sensors sensors;
    std::vector<std::optional<double>> values;
    sensors.read(clock_seconds(), values);
    for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i] && sensors.channels()[i].quantity == Quantity::temperature) return;
    fail(ErrorKind::runtime, "{}: no temperature can be read here (tinyllm info lists the sensors)", flag);
}

bool wait_until_cool(Sampler& sampler, double celsius, double limit, const std::string& before) {
    const double start = clock_seconds();
    for (bool said = false;; said = true) {
        const auto hottest = sampler.hottest();
        if (!hottest || hottest->celsius <= celsius) {
            if (said && hottest)
                note("tinyllm: {}: {:.1f} °C after {:.0f} s", before, hottest->celsius,
                     clock_seconds() - start);
            return true;
        }
        if (!said)
            note("tinyllm: {}: {} is at {:.1f} °C, waiting for {:.1f} °C", before, hottest->sensor,
                 hottest->celsius, celsius);
        const double left = start + limit - clock_seconds();
        if (left <= 0) {
            note("tinyllm: {}: {} is still at {:.1f} °C after {:.0f} s", before, hottest->sensor,
                 hottest->celsius, limit);
            return false;
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.5)));
    }
}

}  // namespace tinyllm::monitor
