// Events that slowed a processor down, counted since the start: heat of x86 packages (thermal_throttle), and
// overcurrent on Jetson (soctherm_oc).
#include <set>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

void find_throttle_counts(pid_t, Found& found) {
    std::vector<FileChannel> files;
    std::set<std::string> packages;
    for (const std::string& core : list_sysfs("/sys/devices/system/cpu", "cpu")) {
        const std::string path = core + "/thermal_throttle/package_throttle_count";
        if (!read_sysfs_number(path)) continue;
        const std::string package = read_sysfs_line(core + "/topology/physical_package_id");
        if (!packages.insert(package).second) continue;
        files.push_back({{"heat of package-" + package, Quantity::throttle}, path});
    }
    for (const std::string& folder : list_sysfs("/sys/class/hwmon", "hwmon")) {
        if (read_sysfs_line(folder + "/name") != "soctherm_oc") continue;
        for (const std::string& path : list_sysfs(folder, "oc")) {
            const std::string name = path.substr(path.rfind('/') + 1);
            if (name.find("_event_cnt") == std::string::npos) continue;
            files.push_back({{"overcurrent " + name.substr(0, name.find('_')), Quantity::throttle}, path});
        }
    }
    found.add<EventCounters>(std::move(files));
}

}  // namespace

const monitor::SensorKind& sensor_throttle_counts() {
    static const monitor::SensorKind kind{"throttle_counts", find_throttle_counts};
    return kind;
}

}  // namespace tinyllm
