#include "tinyllm/system.h"

#include <fstream>

#include "kernels/machine.h"

namespace tinyllm {
namespace {

/// "MemTotal:  24684096 kB" of /proc/meminfo as bytes; 0 if absent.
std::int64_t meminfo(const std::string& key) {
    std::ifstream file("/proc/meminfo");
    std::string name;
    std::int64_t kilobytes = 0;
    for (std::string line; file >> name >> kilobytes; std::getline(file, line)) {
        if (name == key + ":") return kilobytes * 1024;
    }
    return 0;
}

}  // namespace

SystemInfo system_info() {
    SystemInfo info = cpu_system_info();
    info.memory_total = meminfo("MemTotal");
    info.memory_available = meminfo("MemAvailable");
    return info;
}

}  // namespace tinyllm
