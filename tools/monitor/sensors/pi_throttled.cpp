// Raspberry Pi: the firmware's account of under-voltage and heat (Raspberry Pi documentation, vcgencmd
// get_throttled). Bits 0 to 3 hold now, bits 16 to 19 have held since the start. By a file where the kernel
// has one, else by vcgencmd.
#include <cstdlib>

#include "tools/monitor/files.h"
#include "tools/monitor/program.h"

namespace tinyllm {
namespace {

using namespace monitor;

constexpr const char* kPiReasons[] = {"under-voltage", "clock capped", "throttled", "soft temperature limit"};

/// "0x50000", "50000" and "throttled=0x50000": always hexadecimal.
std::optional<unsigned long> pi_bits(const std::string& text) {
    const char* digits = text.c_str();
    if (const std::size_t at = text.find('='); at != std::string::npos) digits += at + 1;
    char* end = nullptr;
    const unsigned long bits = std::strtoul(digits, &end, 16);
    if (end == digits || (*end != '\0' && *end != '\n' && *end != ' ') || bits > 0xfffffUL) return {};
    return bits;
}

class PiThrottled : public Source {
  public:
    /// `program`: vcgencmd, where there is no file.
    PiThrottled(const std::string& path, std::string program)
        : Source({}, program.empty() ? 0 : 2), file_(path), program_(std::move(program)) {
        for (const char* reason : kPiReasons) channels_.push_back({reason, Quantity::throttle});
        since_start_ = bits().value_or(0) >> 16;
    }
    void read(double, std::span<std::optional<double>> values) override {
        const auto now = bits();
        if (!now) return;
        const unsigned long since_start = *now >> 16;
        for (std::size_t i = 0; i < channels_.size(); ++i) {
            // What came and went between two readings is in the upper bits only, once.
            const bool held = (*now >> i & 1) != 0 || ((since_start & ~since_start_) >> i & 1) != 0;
            values[i] = held ? 1 : 0;
        }
        since_start_ = since_start;
    }

  private:
    std::optional<unsigned long> bits() {
        const auto text = program_.empty() ? file_.read() : output_of({program_, "get_throttled"}, 2);
        return text ? pi_bits(*text) : std::nullopt;
    }

    SysfsFile file_;
    std::string program_;
    unsigned long since_start_ = 0;
};

void find_pi_throttled(pid_t, Found& found) {
    for (const std::string& soc : list_sysfs("/sys/devices/platform", "soc")) {
        std::vector<std::string> places = list_sysfs(soc, "soc");
        places.insert(places.begin(), soc);
        for (const std::string& place : places) {
            const std::string path = place + "/get_throttled";
            if (place.find("firmware") == std::string::npos || !read_sysfs(path)) continue;
            found.add<PiThrottled>(path, "");
            return;
        }
    }
    if (read_sysfs_line("/proc/device-tree/model").find("Raspberry Pi") == std::string::npos) return;
    const std::string program = find_program("vcgencmd");
    if (!program.empty()) found.add<PiThrottled>("", program);
}

}  // namespace

const monitor::SensorKind& sensor_pi_throttled() {
    static const monitor::SensorKind kind{"pi_throttled", find_pi_throttled};
    return kind;
}

}  // namespace tinyllm
