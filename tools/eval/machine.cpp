#include "tools/eval/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>

#include "tinyllm/version.h"

namespace tinyllm::eval {
namespace {

std::string first_line(const char* path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    while (!line.empty() && (line.back() == '\0' || line.back() == '\n' || line.back() == ' '))
        line.pop_back();
    return line;
}

// The value behind "key ... : value" of a /proc file.
std::string field(const char* path, const std::string& key) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key, 0) != 0) continue;
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const std::size_t start = line.find_first_not_of(" \t", colon + 1);
        return start == std::string::npos ? "" : line.substr(start);
    }
    return "";
}

Json known(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

std::string board_name() {
    std::string name = first_line("/proc/device-tree/model");
    if (name.empty()) name = first_line("/sys/devices/virtual/dmi/id/product_name");
    return name;
}

std::string cpu_name() {
    for (const char* key : {"model name", "Model", "Hardware"})
        if (std::string name = field("/proc/cpuinfo", key); !name.empty()) return name;
    return "";
}

}  // namespace

Json machine_facts() {
    utsname system{};
    const bool has_system = uname(&system) == 0;
    const std::string memory = field("/proc/meminfo", "MemTotal");
    Json facts;
    facts["board"] = known(board_name());
    facts["cpu"] = known(cpu_name());
    facts["cores"] = sysconf(_SC_NPROCESSORS_ONLN);
    facts["memory_mb"] = memory.empty() ? Json() : Json(std::stoll(memory) / 1024);
    facts["kernel"] = has_system ? Json(std::string(system.sysname) + " " + system.release) : Json();
    facts["machine"] = has_system ? Json(system.machine) : Json();
#if defined(__clang__)
    facts["compiler"] = "Clang " __clang_version__;
#else
    facts["compiler"] = "GCC " __VERSION__;
#endif
    facts["commit"] = known(TINYLLM_COMMIT);
    facts["version"] = version();
    return facts;
}

std::optional<std::int64_t> peak_resident_bytes() {
    const std::string peak = field("/proc/self/status", "VmHWM");
    if (peak.empty()) return std::nullopt;
    return std::stoll(peak) * 1024;
}

bool reset_peak_resident() {
    std::ofstream out("/proc/self/clear_refs");
    out << "5" << std::flush;
    return out.good();
}

std::string utc_now() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

}  // namespace tinyllm::eval
