// Clocks and loads of what is no CPU: /sys/class/devfreq (GPU, NPU, memory controller). Rockchip's drivers
// tell a load "12@300000000Hz" there; Jetson's GPU has its own, in thousandths, beside the device.
#include <algorithm>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

/// "12@300000000Hz": percent.
class RockchipLoads : public Source {
  public:
    void add(const std::string& name, const std::string& path) {
        channels_.push_back({name, Quantity::load});
        files_.emplace_back(path);
    }
    void read(double, std::span<std::optional<double>> values) override {
        for (std::size_t i = 0; i < files_.size(); ++i) {
            const auto text = files_[i].read();
            const std::size_t at = text ? text->find('@') : std::string::npos;
            if (at == std::string::npos) continue;
            const auto percent = number_of_line(std::string_view(*text).substr(0, at));
            if (percent && *percent >= 0 && *percent <= 100) values[i] = static_cast<double>(*percent) / 100;
        }
    }

  private:
    std::vector<SysfsFile> files_;
};

/// "17000000.ga10b", "57000000.gpu", "fb000000.gpu" are GPUs: the part behind the address says so.
std::string devfreq_name(const std::string& folder) {
    const std::string device = folder.substr(folder.rfind('/') + 1);
    const std::string part = device.substr(device.find('.') + 1);
    for (const char* gpu : {"gpu", "mali", "gm20b", "gp10b", "gv11b", "ga10b"})
        if (part == gpu) return "gpu";
    return part;
}

void find_devfreq(pid_t, Found& found) {
    std::vector<FileChannel> clocks, loads;
    auto rockchip = std::make_unique<RockchipLoads>();
    for (const std::string& folder : list_sysfs("/sys/class/devfreq")) {
        const std::string name = unique_name(devfreq_name(folder), clocks);
        clocks.push_back({{name, Quantity::clock}, folder + "/cur_freq", 1e-6, 1e-6, 1e5});
        if (read_sysfs(folder + "/load")) rockchip->add(name, folder + "/load");
        if (read_sysfs_number(folder + "/device/load"))
            loads.push_back({{name, Quantity::load}, folder + "/device/load", 1e-3, 0, 1});
    }
    if (loads.empty()) {
        for (const char* path : {"/sys/devices/gpu.0/load", "/sys/devices/platform/gpu.0/load"})
            if (loads.empty() && read_sysfs_number(path))
                loads.push_back({{"gpu", Quantity::load}, path, 1e-3, 0, 1});
    }
    if (!rockchip->channels().empty()) found.sources.push_back(std::move(rockchip));
    found.add<FileSource>(std::move(clocks));
    found.add<FileSource>(std::move(loads));
}

}  // namespace

const monitor::SensorKind& sensor_devfreq() {
    static const monitor::SensorKind kind{"devfreq", find_devfreq};
    return kind;
}

}  // namespace tinyllm
