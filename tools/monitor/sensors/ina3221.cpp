// The power monitor of Jetson modules (TI INA3221: shunt current and bus voltage of three rails), as hwmon
// device, or as the iio device of JetPack 4.
#include <fmt/format.h>

#include "tools/monitor/files.h"
#include "tools/monitor/rails.h"

namespace tinyllm {
namespace {

using namespace monitor;

/// hwmon: millivolts of the bus times milliamperes through the shunt.
class Ina3221Rails : public Source {
  public:
    void add(const std::string& name, const std::string& folder, int rail) {
        channels_.push_back({name, Quantity::power, rail_covers(name)});
        millivolts_.emplace_back(fmt::format("{}/in{}_input", folder, rail));
        milliamperes_.emplace_back(fmt::format("{}/curr{}_input", folder, rail));
    }
    void read(double, std::span<std::optional<double>> values) override {
        for (std::size_t i = 0; i < channels_.size(); ++i) {
            const auto volts = millivolts_[i].number(), amperes = milliamperes_[i].number();
            if (volts && amperes && *volts >= 0 && *volts < 100'000 && *amperes >= 0 && *amperes < 1'000'000)
                values[i] = static_cast<double>(*volts) * static_cast<double>(*amperes) * 1e-6;
        }
    }

  private:
    std::vector<SysfsFile> millivolts_, milliamperes_;
};

constexpr int kIna3221Rails = 3;

void add_ina3221_hwmon(const std::string& folder, Found& found) {
    auto rails = std::make_unique<Ina3221Rails>();
    for (int rail = 1; rail <= kIna3221Rails; ++rail) {
        const std::string name = read_sysfs_line(fmt::format("{}/in{}_label", folder, rail));
        if (name.empty() || name == "NC") continue;
        std::string why;
        if (!read_sysfs(fmt::format("{}/in{}_input", folder, rail), 64, &why) ||
            !read_sysfs(fmt::format("{}/curr{}_input", folder, rail), 64, &why)) {
            found.notes.push_back(fmt::format("{}: rail {} cannot be read: {}", folder, name, why));
        }
        rails->add(name, folder, rail);
    }
    if (!rails->channels().empty()) found.sources.push_back(std::move(rails));
}

/// iio: rail_name_0 beside in_power0_input, milliwatts.
void add_ina3221_iio(const std::string& folder, Found& found) {
    std::vector<FileChannel> files;
    for (int rail = 0; rail < kIna3221Rails; ++rail) {
        const std::string name = read_sysfs_line(fmt::format("{}/rail_name_{}", folder, rail));
        if (name.empty() || name == "NC") continue;
        files.push_back({{name, Quantity::power, rail_covers(name)},
                         fmt::format("{}/in_power{}_input", folder, rail),
                         1e-3,
                         0,
                         1e5});
    }
    found.add<FileSource>(std::move(files));
}

void find_ina3221(pid_t, Found& found) {
    const std::size_t before = found.sources.size();
    for (const std::string& chip : list_sysfs("/sys/bus/i2c/drivers/ina3221"))
        for (const std::string& folder : list_sysfs(chip + "/hwmon", "hwmon"))
            add_ina3221_hwmon(folder, found);
    for (const std::string& chip : list_sysfs("/sys/bus/i2c/drivers/ina3221x"))
        for (const std::string& folder : list_sysfs(chip, "iio:device")) add_ina3221_iio(folder, found);
    if (found.sources.size() > before) return;
    for (const std::string& folder : list_sysfs("/sys/class/hwmon", "hwmon"))
        if (read_sysfs_line(folder + "/name") == "ina3221") add_ina3221_hwmon(folder, found);
}

}  // namespace

const monitor::SensorKind& sensor_ina3221() {
    static const monitor::SensorKind kind{"ina3221", find_ina3221};
    return kind;
}

}  // namespace tinyllm
