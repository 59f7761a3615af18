#include "tools/monitor/flags.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace tinyllm::monitor {
namespace {

/// A number and one of `units` behind it. Throws CLI::ValidationError.
template <std::size_t N>
double number_with_unit(const std::string& text, const std::pair<const char*, double> (&units)[N],
                        double most, const char* expected) {
    std::size_t used = 0;
    double value = -1;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
    }
    const std::string unit = text.substr(std::min(used, text.size()));
    for (const auto& [name, scale] : units)
        if (used > 0 && unit == name && std::isfinite(value) && value >= 0 && value * scale <= most)
            return value * scale;
    throw CLI::ValidationError(fmt::format("expected {}, found \"{}\"", expected, text));
}

CLI::Option* add_number(CLI::App& app, const std::string& name, double& value, const std::string& help,
                        double (*parse)(const std::string&)) {
    CLI::Option* option = app.add_option_function<std::string>(
        name, [&value, parse](const std::string& text) { value = parse(text); }, help);
    // Told before anything runs, with the option's name.
    option->check([parse](const std::string& text) {
        try {
            parse(text);
        } catch (const CLI::ValidationError& error) {
            return std::string(error.what());
        }
        return std::string();
    });
    return option;
}

}  // namespace

double parse_seconds(const std::string& text) {
    constexpr std::pair<const char*, double> kUnits[] = {{"", 1},   {"s", 1},    {"ms", 1e-3},
                                                         {"m", 60}, {"min", 60}, {"h", 3600}};
    return number_with_unit(text, kUnits, 366.0 * 86400, "a time such as 0.5, 100ms or 10s");
}

double parse_celsius(const std::string& text) {
    constexpr std::pair<const char*, double> kUnits[] = {{"", 1}, {"C", 1}, {"c", 1}, {"°C", 1}, {" °C", 1}};
    return number_with_unit(text, kUnits, 200, "degrees Celsius such as 60C");
}

double parse_interval(const std::string& text) {
    const double seconds = parse_seconds(text);
    if (seconds != 0 && seconds < 0.001)
        throw CLI::ValidationError(fmt::format("expected 0 or at least 1ms, found \"{}\"", text));
    return seconds;
}

CLI::Option* add_seconds(CLI::App& app, const std::string& name, double& seconds, const std::string& help) {
    return add_number(app, name, seconds, help, parse_seconds)->type_name("TIME");
}

void add_monitor_flags(CLI::App& app, MonitorFlags& flags) {
    add_number(app, "--sample-interval", flags.interval,
               "How often power, temperature, clocks and memory are read; 0: never", parse_interval)
        ->type_name("TIME")
        ->default_str("100ms");
    add_seconds(app, "--idle", flags.idle,
                "Rest before the run, whose power net energy leaves out; only where power is measured")
        ->default_str("500ms");
}

void add_cooldown_flags(CLI::App& app, MonitorFlags& flags) {
    add_number(app, "--cooldown", flags.cooldown,
               "Wait before each figure until the hottest sensor is below this", parse_celsius)
        ->type_name("CELSIUS");
    add_seconds(app, "--cooldown-limit", flags.patience, "How long a hot board is waited for")
        ->default_str("10m");
}

void add_max_temp_flag(CLI::App& app, MonitorFlags& flags) {
    add_number(app, "--max-temp", flags.max_temp,
               "Pause where a sensor reaches this, until it is 5 degrees below; past --cooldown-limit stop "
               "with code 8",
               parse_celsius)
        ->type_name("CELSIUS");
}

}  // namespace tinyllm::monitor
