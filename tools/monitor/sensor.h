// What the board tells about itself while something runs. tools/monitor/sensors/<name>.cpp defines
// `const monitor::SensorKind& sensor_<name>()`; the table of all is generated from the file names.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/json_text.h"

namespace tinyllm {
namespace monitor {

using tinyllm::Json;

enum class Quantity {
    power,          ///< W
    energy,         ///< J since some moment; only differences mean something
    temperature,    ///< °C
    clock,          ///< MHz
    load,           ///< share of the time at work, 0 to 1
    memory,         ///< bytes: "rss", "rss_peak" of the process, "available", "cgroup_peak"
    device_memory,  ///< bytes in use
    pressure,       ///< % of the last ten seconds that something waited for memory
    throttle,       ///< 1: held back, for the reason that is the channel's name
};

/// What a power or energy reading speaks of: the whole board, a part that no other part includes, or a rail
/// within either.
enum class Covers { detail, part, whole };

struct Channel {
    std::string name;
    Quantity quantity = Quantity::power;
    Covers covers = Covers::detail;
};

/// Readings that are taken together. One thread at a time.
class Source {
  public:
    explicit Source(std::vector<Channel> channels = {}, double period = 0)
        : channels_(std::move(channels)), period_(period) {}
    virtual ~Source() = default;

    /// Fills in what can be read; `values` come empty, one per channel. `now`: seconds on a clock that never
    /// goes back. Does not throw for what a driver says or fails to say.
    virtual void read(double now, std::span<std::optional<double>> values) = 0;

    const std::vector<Channel>& channels() const { return channels_; }
    double period() const { return period_; }  ///< seconds between readings at least; 0: any

  protected:
    std::vector<Channel> channels_;
    double period_;
};

struct Found {
    std::vector<std::unique_ptr<Source>> sources;
    std::vector<std::string> notes;  ///< what is there but cannot be read, and why
    Json facts = Json::object();     ///< what stays as it is: {"power_mode": "15W"}

    template <typename S, typename... A>
    void add(A&&... arguments) {
        auto source = std::make_unique<S>(std::forward<A>(arguments)...);
        if (!source->channels().empty()) sources.push_back(std::move(source));
    }
    bool has(Quantity quantity) const;
};

struct SensorKind {
    std::string_view name;
    /// Looks on this machine (or in TINYLLM_SYSFS_ROOT). `process`: whose memory is watched, 0 for this one.
    void (*find)(pid_t process, Found& found);
    bool fallback = false;  ///< looked for behind the others
};

/// "power_W", "temp_C", ...: the quantity's name in samples and `info`.
std::string_view quantity_key(Quantity quantity);
const std::vector<Quantity>& all_quantities();

/// All sources of the machine as one.
class Sensors {
  public:
    explicit Sensors(pid_t process = 0);

    const std::vector<Channel>& channels() const { return channels_; }
    const std::vector<std::string>& notes() const { return found_.notes; }
    const Json& facts() const { return found_.facts; }
    bool has(Quantity quantity) const { return found_.has(quantity); }
    bool measures_energy() const;  ///< of the whole board or of parts of it

    /// One value per channel. A source that is not due yet gives its last one.
    void read(double now, std::vector<std::optional<double>>& values);

  private:
    Found found_;
    std::vector<Channel> channels_;
    std::vector<double> due_;
};

/// {"power_W": {"VDD_IN": 4.2}, "temp_C": null, ...}: every quantity, null where nothing is measured.
Json readings_json(const std::vector<Channel>& channels, std::span<const std::optional<double>> values);

/// Seconds on the clock that samples are taken by.
double clock_seconds();

}  // namespace monitor

std::vector<const monitor::SensorKind& (*)()> all_sensors();

}  // namespace tinyllm
