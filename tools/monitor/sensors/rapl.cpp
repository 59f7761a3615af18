// Energy counters of x86 packages (RAPL, by the kernel's powercap interface: Documentation/power/powercap).
// energy_uj runs up to max_energy_range_uj and begins again at 0; since Linux 5.10 only root may read it.
#include <fmt/format.h>

#include <algorithm>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

// No package takes more: a counter that jumps further did not wrap, it was reset (suspend, module reload).
constexpr double kRaplMostWatts = 5000;

class RaplZones : public Source {
  public:
    void add(const std::string& name, const std::string& folder, Covers covers) {
        channels_.push_back({name, Quantity::energy, covers});
        zones_.push_back({SysfsFile(folder + "/energy_uj"),
                          read_sysfs_number(folder + "/max_energy_range_uj").value_or(0),
                          {},
                          0,
                          0});
    }
    void read(double now, std::span<std::optional<double>> values) override {
        for (std::size_t i = 0; i < zones_.size(); ++i) values[i] = zones_[i].read(now);
    }

  private:
    struct Zone {
        SysfsFile file;
        std::int64_t range;
        std::optional<std::int64_t> last;
        double joules, time;

        std::optional<double> read(double now) {
            const auto count = file.number();
            if (!count || *count < 0) return {};
            std::int64_t more = last ? *count - *last : 0;
            if (more < 0) more = range >= *last ? range - *last + *count : -1;
            const bool sound =
                more >= 0 && static_cast<double>(more) * 1e-6 <= kRaplMostWatts * std::max(now - time, 0.1);
            last = count;
            time = now;
            if (!sound) return {};
            joules += static_cast<double>(more) * 1e-6;
            return joules;
        }
    };
    std::vector<Zone> zones_;
};

/// "intel-rapl:1" is a package (or the platform, psys, which includes it), "intel-rapl:1:0" a part of it;
/// DRAM is counted apart from its package, core and uncore are in it.
void find_rapl(pid_t, Found& found) {
    auto zones = std::make_unique<RaplZones>();
    for (const std::string& folder : list_sysfs("/sys/class/powercap", "intel-rapl:")) {
        std::string name = read_sysfs_line(folder + "/name");
        const std::string id = folder.substr(folder.find(':') + 1);
        if (name.empty()) continue;
        std::string why;
        if (!read_sysfs(folder + "/energy_uj", 64, &why)) {
            found.notes.push_back(fmt::format("{}/energy_uj ({}): {}", folder, name, why));
            continue;
        }
        const bool part = name.compare(0, 8, "package-") == 0 || name == "dram";
        if (id.find(':') != std::string::npos) name += "-" + id.substr(0, id.find(':'));
        zones->add(name, folder, part ? Covers::part : Covers::detail);
    }
    if (!zones->channels().empty()) found.sources.push_back(std::move(zones));
}

}  // namespace

const monitor::SensorKind& sensor_rapl() {
    static const monitor::SensorKind kind{"rapl", find_rapl};
    return kind;
}

}  // namespace tinyllm
