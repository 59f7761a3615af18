// Clocks that the kernel's thermal framework holds down: a cooling device of a processor whose state is not
// 0.
#include <algorithm>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

/// cur_state counts steps of slowing down; any is one.
class CoolingStates : public FileSource {
  public:
    using FileSource::FileSource;
    void read(double now, std::span<std::optional<double>> values) override {
        FileSource::read(now, values);
        for (auto& value : values)
            if (value) value = *value > 0 ? 1 : 0;
    }
};

void find_cooling_devices(pid_t, Found& found) {
    std::vector<FileChannel> files;
    for (const std::string& device : list_sysfs("/sys/class/thermal", "cooling_device")) {
        const std::string type = read_sysfs_line(device + "/type");
        const bool slows = type == "Processor" || type.find("cpufreq") != std::string::npos ||
                           type.find("devfreq") != std::string::npos;
        if (!slows) continue;  // a fan
        files.push_back(
            {{unique_name("cooling " + type, files), Quantity::throttle}, device + "/cur_state", 1, 0, 1e6});
    }
    // An x86 machine has one per core: they are not worth reading more often.
    constexpr double kPeriod = 1;
    const double period = files.size() > 16 ? kPeriod : 0;
    found.add<CoolingStates>(std::move(files), period);
}

}  // namespace

const monitor::SensorKind& sensor_cooling() {
    static const monitor::SensorKind kind{"cooling", find_cooling_devices};
    return kind;
}

}  // namespace tinyllm
