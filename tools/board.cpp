#include "tools/board.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "tools/sysfs.h"

namespace tinyllm {
namespace fs = std::filesystem;
namespace {

// Of /proc/cpuinfo there is a block per core: the first ones say what is asked here.
constexpr std::size_t kMostBytes = 1 << 16;

/// "name : value" or "name=value" lines; the first of a name counts.
std::map<std::string, std::string> read_fields(const std::string& path, char separator) {
    std::map<std::string, std::string> fields;
    std::istringstream file(read_sysfs(path, kMostBytes).value_or(""));
    const auto trim = [](std::string text) {
        const std::size_t begin = text.find_first_not_of(" \t\"");
        const std::size_t end = text.find_last_not_of(" \t\"");
        return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
    };
    for (std::string line; std::getline(file, line);) {
        const std::size_t at = line.find(separator);
        if (at != std::string::npos) fields.emplace(trim(line.substr(0, at)), trim(line.substr(at + 1)));
    }
    return fields;
}

std::optional<std::int64_t> kilobytes(const std::map<std::string, std::string>& fields,
                                      const std::string& name) {
    const auto found = fields.find(name);
    if (found == fields.end()) return {};
    return std::strtoll(found->second.c_str(), nullptr, 10) * 1024;
}

/// MIDR part numbers of Arm's own cores (Arm's technical reference manuals, MIDR_EL1).
std::string arm_core_name(const std::map<std::string, std::string>& cpuinfo) {
    static const std::map<int, const char*> names = {
        {0xd03, "Cortex-A53"},   {0xd04, "Cortex-A35"},  {0xd05, "Cortex-A55"},  {0xd07, "Cortex-A57"},
        {0xd08, "Cortex-A72"},   {0xd09, "Cortex-A73"},  {0xd0a, "Cortex-A75"},  {0xd0b, "Cortex-A76"},
        {0xd0c, "Neoverse-N1"},  {0xd0d, "Cortex-A77"},  {0xd40, "Neoverse-V1"}, {0xd41, "Cortex-A78"},
        {0xd42, "Cortex-A78AE"}, {0xd44, "Cortex-X1"},   {0xd46, "Cortex-A510"}, {0xd47, "Cortex-A710"},
        {0xd49, "Neoverse-N2"},  {0xd4d, "Cortex-A715"}, {0xd4f, "Neoverse-V2"}, {0xd80, "Cortex-A520"},
        {0xd81, "Cortex-A720"}};
    const auto vendor = cpuinfo.find("CPU implementer");
    const auto part = cpuinfo.find("CPU part");
    if (vendor == cpuinfo.end() || part == cpuinfo.end()) return "";
    const int number = static_cast<int>(std::strtol(part->second.c_str(), nullptr, 0));
    const auto found = names.find(number);
    if (vendor->second == "0x41" && found != names.end()) return found->second;
    return fmt::format("implementer {} part {}", vendor->second, part->second);
}

std::vector<CoreCluster> read_clusters(int& cores) {
    // capacity and clock together: cores of one design may sit in clusters of different clocks.
    std::map<std::pair<std::int64_t, std::int64_t>, CoreCluster> found;
    cores = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(sysfs_root() + "/sys/devices/system/cpu", error)) {
        const std::string name = entry.path().filename().string();
        if (name.size() < 4 || name.compare(0, 3, "cpu") != 0 ||
            name.find_first_not_of("0123456789", 3) != std::string::npos) {
            continue;
        }
        const std::string path = "/sys/devices/system/cpu/" + name;
        if (read_sysfs_number(path + "/online").value_or(1) == 0) continue;
        const auto capacity = read_sysfs_number(path + "/cpu_capacity");
        const auto khz = read_sysfs_number(path + "/cpufreq/cpuinfo_max_freq");
        CoreCluster& cluster = found[{capacity.value_or(0), khz.value_or(0)}];
        cluster.cores.push_back(std::atoi(name.c_str() + 3));
        if (capacity) cluster.capacity = static_cast<int>(*capacity);
        if (khz) cluster.max_mhz = static_cast<double>(*khz) / 1000;
        ++cores;
    }
    if (found.empty()) {  // no /sys, as in a bare chroot: those that the scheduler allows
        cpu_set_t allowed;
        if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
            cores = CPU_COUNT(&allowed);
            for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
                if (CPU_ISSET(cpu, &allowed)) found[{0, 0}].cores.push_back(cpu);
            }
        }
    }
    std::vector<CoreCluster> clusters;
    for (auto at = found.rbegin(); at != found.rend(); ++at) {
        std::sort(at->second.cores.begin(), at->second.cores.end());
        clusters.push_back(at->second);
    }
    return clusters;
}

}  // namespace

std::vector<std::string> memory_groups() {
    std::vector<std::string> groups;
    std::istringstream file(read_sysfs("/proc/self/cgroup", kMostBytes).value_or(""));
    for (std::string line; std::getline(file, line);) {
        const std::size_t name = line.find(':'), path = line.find(':', name + 1);
        if (name == std::string::npos || path == std::string::npos) continue;
        const std::string controllers = "," + line.substr(name + 1, path - name - 1) + ",";
        const bool second = controllers == ",,";
        if (!second && controllers.find(",memory,") == std::string::npos) continue;
        const std::string mount = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        for (fs::path group = line.substr(path + 1);; group = group.parent_path()) {
            groups.push_back(mount + (group.string() == "/" ? "" : group.string()));
            if (group == group.parent_path()) break;
        }
    }
    return groups;
}

namespace {

std::optional<std::int64_t> memory_limit(const std::string& group) {
    const auto limit = read_sysfs_number(group + "/memory.max");
    return limit ? limit : read_sysfs_number(group + "/memory.limit_in_bytes");
}

/// The tightest memory limit of the control groups above this process.
std::optional<std::int64_t> cgroup_limit() {
    constexpr std::int64_t kNone = std::int64_t{1} << 60;  // version 1 writes a number for no limit
    std::optional<std::int64_t> least;
    for (const std::string& group : memory_groups()) {
        const auto limit = memory_limit(group);
        if (limit && *limit < kNone && (!least || *limit < *least)) least = limit;
    }
    return least;
}

/// What a group's file pages take that the kernel may drop at need.
std::int64_t droppable(const std::string& group) {
    const auto fields = read_fields(group + "/memory.stat", ' ');
    std::int64_t bytes = 0;
    for (const char* name : {"inactive_file", "active_file"}) {
        const auto found = fields.find(name);
        if (found != fields.end()) bytes += std::strtoll(found->second.c_str(), nullptr, 10);
    }
    return bytes;
}

}  // namespace

Board read_board() {
    Board board;
    board.name = read_sysfs_line("/proc/device-tree/model");
    if (board.name.empty()) {
        const std::string vendor = read_sysfs_line("/sys/class/dmi/id/sys_vendor");
        const std::string product = read_sysfs_line("/sys/class/dmi/id/product_name");
        board.name = vendor + (vendor.empty() || product.empty() ? "" : " ") + product;
    }
    const auto cpuinfo = read_fields("/proc/cpuinfo", ':');
    if (const auto model = cpuinfo.find("model name"); model != cpuinfo.end()) board.cpu = model->second;
    if (board.cpu.empty()) board.cpu = arm_core_name(cpuinfo);
    const auto release = read_fields("/etc/os-release", '=');
    if (const auto name = release.find("PRETTY_NAME"); name != release.end()) board.os = name->second;
    struct utsname names = {};
    if (uname(&names) == 0) {
        board.kernel = names.release;
        board.machine = names.machine;
    }
    board.clusters = read_clusters(board.cores);
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof(mask), &mask) == 0) board.usable_cores = CPU_COUNT(&mask);
    const auto memory = read_fields("/proc/meminfo", ':');
    board.memory_bytes = kilobytes(memory, "MemTotal");
    board.available_bytes = kilobytes(memory, "MemAvailable");
    board.cgroup_limit_bytes = cgroup_limit();
    return board;
}

std::optional<std::int64_t> available_memory() {
    std::optional<std::int64_t> available = kilobytes(read_fields("/proc/meminfo", ':'), "MemAvailable");
    for (const std::string& group : memory_groups()) {
        const auto limit = memory_limit(group);
        auto used = read_sysfs_number(group + "/memory.current");
        if (!used) used = read_sysfs_number(group + "/memory.usage_in_bytes");
        if (!limit || !used) continue;
        const std::int64_t left =
            std::max<std::int64_t>(*limit - std::max<std::int64_t>(*used - droppable(group), 0), 0);
        if (!available || left < *available) available = left;
    }
    return available;
}

std::optional<std::int64_t> resident_bytes() {
    return kilobytes(read_fields("/proc/self/status", ':'), "VmRSS");
}
std::optional<std::int64_t> peak_resident_bytes() {
    return kilobytes(read_fields("/proc/self/status", ':'), "VmHWM");
}

std::string show_bytes(std::int64_t bytes) {
    constexpr double kStep = 1024;
    if (bytes < 1024) return fmt::format("{} B", bytes);
    const auto value = static_cast<double>(bytes);
    if (value < kStep * kStep) return fmt::format("{:.1f} KiB", value / kStep);
    if (value < kStep * kStep * kStep) return fmt::format("{:.1f} MiB", value / kStep / kStep);
    return fmt::format("{:.2f} GiB", value / kStep / kStep / kStep);
}

}  // namespace tinyllm
