// Temperatures of the kernel's thermal zones, in thousandths of a degree (Documentation/driver-api/thermal).
#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

void find_thermal_zones(pid_t, Found& found) {
    std::vector<FileChannel> files;
    for (const std::string& zone : list_sysfs("/sys/class/thermal", "thermal_zone")) {
        std::string type = read_sysfs_line(zone + "/type");
        if (type.empty()) type = zone.substr(zone.rfind('/') + 1);
        if (type == "PMIC-Die") continue;  // of Jetson: a constant 100 °C
        // Drivers say -273 or 200 for a sensor that is off.
        files.push_back({{unique_name(type, files), Quantity::temperature}, zone + "/temp", 1e-3, -60, 150});
    }
    found.add<FileSource>(std::move(files));
}

}  // namespace

const monitor::SensorKind& sensor_thermal() {
    static const monitor::SensorKind kind{"thermal", find_thermal_zones};
    return kind;
}

}  // namespace tinyllm
