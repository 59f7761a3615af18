// Memory: of the process (VmRSS, VmHWM), left on the board (MemAvailable), the control group's peak, and how
// much time was lost waiting for it (PSI; Documentation/accounting/psi).
#include <cstdlib>

#include "tools/board.h"
#include "tools/monitor/files.h"

namespace tinyllm {
namespace {

using namespace monitor;

/// "Name:   123 kB" lines.
class KilobyteLines : public Source {
  public:
    KilobyteLines(const std::string& path, std::vector<std::pair<std::string, std::string>> names)
        : file_(path) {
        for (auto& [line, name] : names) {
            lines_.push_back("\n" + line + ":");
            channels_.push_back({name, Quantity::memory});
        }
    }
    void read(double, std::span<std::optional<double>> values) override {
        const auto text = file_.read(4096);
        if (!text) return;
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            const std::size_t at = text->find(lines_[i]);
            if (at == std::string::npos) continue;
            const char* number = text->c_str() + at + lines_[i].size();
            char* end = nullptr;
            const long long kilobytes = std::strtoll(number, &end, 10);
            if (end != number && kilobytes >= 0) values[i] = 1024.0 * static_cast<double>(kilobytes);
        }
    }

  private:
    SysfsFile file_;
    std::vector<std::string> lines_;
};

/// "some avg10=0.12 avg60=..."
class MemoryPressure : public Source {
  public:
    MemoryPressure() : Source({{"memory", Quantity::pressure}}), file_("/proc/pressure/memory") {}
    void read(double, std::span<std::optional<double>> values) override {
        const auto text = file_.read();
        const std::string key = "some avg10=";
        const std::size_t at = text ? text->find(key) : std::string::npos;
        if (at == std::string::npos) return;
        const char* number = text->c_str() + at + key.size();
        char* end = nullptr;
        const double percent = std::strtod(number, &end);
        if (end != number && percent >= 0 && percent <= 100) values[0] = percent;
    }

  private:
    SysfsFile file_;
};

void find_memory(pid_t process, Found& found) {
    using Names = std::vector<std::pair<std::string, std::string>>;
    const std::string folder = "/proc/" + (process > 0 ? std::to_string(process) : "self");
    if (read_sysfs(folder + "/status"))
        found.add<KilobyteLines>(folder + "/status", Names{{"VmRSS", "rss"}, {"VmHWM", "rss_peak"}});
    if (read_sysfs("/proc/meminfo"))
        found.add<KilobyteLines>("/proc/meminfo", Names{{"MemAvailable", "available"}});
    for (const std::string& group : memory_groups()) {
        std::vector<FileChannel> files;
        for (const char* name : {"/memory.peak", "/memory.max_usage_in_bytes"})
            if (files.empty() && read_sysfs_number(group + name))
                files.push_back({{"cgroup_peak", Quantity::memory}, group + name, 1, 0, 1e18});
        if (files.empty()) continue;
        found.add<FileSource>(std::move(files), 1.0);
        break;
    }
    if (read_sysfs("/proc/pressure/memory")) found.add<MemoryPressure>();
}

}  // namespace

const monitor::SensorKind& sensor_memory() {
    static const monitor::SensorKind kind{"memory", find_memory};
    return kind;
}

}  // namespace tinyllm
