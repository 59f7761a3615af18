// Clocks of the CPU, and the governor that sets them (Documentation/admin-guide/pm/cpufreq).
#include <algorithm>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

void find_cpufreq(pid_t, Found& found) {
    std::vector<FileChannel> files;
    std::vector<std::string> governors;
    for (const std::string& policy : list_sysfs("/sys/devices/system/cpu/cpufreq", "policy")) {
        std::string cores = read_sysfs_line(policy + "/related_cpus");  // "0 1 2 3"
        if (const std::size_t first = cores.find(' '); first != std::string::npos)
            cores = cores.substr(0, first) + "-" + cores.substr(cores.rfind(' ') + 1);
        const std::string name = cores.empty() ? policy.substr(policy.rfind('/') + 1) : "cpu" + cores;
        const std::string governor = read_sysfs_line(policy + "/scaling_governor");
        if (!governor.empty() && std::find(governors.begin(), governors.end(), governor) == governors.end())
            governors.push_back(governor);
        // x86 has a policy per core and asks each core for its clock: the first ones speak for all.
        constexpr std::size_t kMost = 16;
        if (files.size() < kMost)
            files.push_back(
                {{unique_name(name, files), Quantity::clock}, policy + "/scaling_cur_freq", 1e-3, 1e-3, 1e5});
    }
    std::string all;
    for (const std::string& governor : governors) all += (all.empty() ? "" : ", ") + governor;
    if (!all.empty()) found.facts["governor"] = all;
    const double period = files.size() > 8 ? 0.5 : 0;
    found.add<FileSource>(std::move(files), period);
}

}  // namespace

const monitor::SensorKind& sensor_cpufreq() {
    static const monitor::SensorKind kind{"cpufreq", find_cpufreq};
    return kind;
}

}  // namespace tinyllm
