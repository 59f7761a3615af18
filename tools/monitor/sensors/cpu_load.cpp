// Share of all cores' time at work since the last reading: the first line of /proc/stat (proc(5)).
#include <sstream>

#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

class CpuLoad : public Source {
  public:
    CpuLoad() : Source({{"cpu", Quantity::load}}), file_("/proc/stat") {}
    void read(double, std::span<std::optional<double>> values) override {
        std::istringstream line(file_.read().value_or(""));
        std::string name;
        line >> name;
        if (name != "cpu") return;
        double ticks = 0, all = 0, idle = 0;
        // user nice system idle iowait irq softirq steal; guests are in user already.
        for (int i = 0; i < 8 && line >> ticks; ++i) {
            all += ticks;
            if (i == 3 || i == 4) idle += ticks;
        }
        if (all > all_ && all_ > 0 && idle >= idle_) {
            values[0] = 1 - (idle - idle_) / (all - all_);
            if (*values[0] < 0) values[0].reset();
        }
        all_ = all;
        idle_ = idle;
    }

  private:
    SysfsFile file_;
    double all_ = 0, idle_ = 0;
};

void find_cpu_load(pid_t, Found& found) {
    if (read_sysfs("/proc/stat")) found.add<CpuLoad>();
}

}  // namespace

const monitor::SensorKind& sensor_cpu_load() {
    static const monitor::SensorKind kind{"cpu_load", find_cpu_load};
    return kind;
}

}  // namespace tinyllm
