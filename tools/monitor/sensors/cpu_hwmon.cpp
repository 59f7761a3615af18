// Temperatures of x86 CPUs that have no thermal zone of their own: hwmon's coretemp (the package's line) and
// k10temp.
#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

void find_cpu_hwmon(pid_t, Found& found) {
    for (const std::string& zone : list_sysfs("/sys/class/thermal", "thermal_zone"))
        if (read_sysfs_line(zone + "/type") == "x86_pkg_temp") return;
    std::vector<FileChannel> files;
    for (const std::string& folder : list_sysfs("/sys/class/hwmon", "hwmon")) {
        const std::string name = read_sysfs_line(folder + "/name");
        if (name != "coretemp" && name != "k10temp") continue;
        // temp1 is the package of the one and the control value of the other.
        files.push_back(
            {{unique_name(name, files), Quantity::temperature}, folder + "/temp1_input", 1e-3, -60, 150});
    }
    found.add<FileSource>(std::move(files));
}

}  // namespace

const monitor::SensorKind& sensor_cpu_hwmon() {
    static const monitor::SensorKind kind{"cpu_hwmon", find_cpu_hwmon};
    return kind;
}

}  // namespace tinyllm
