#include "kernels/cpu/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <thread>

#include "kernels/cpu/core_list.h"

namespace tinyllm::cpu {
namespace {

std::string root() {
    const char* path = std::getenv("TINYLLM_SYSFS_ROOT");
    return path ? path : "";
}

/// The first number in a file; -1 if there is none.
double read_number(const std::string& path) {
    std::ifstream file(path);
    double value = 0;
    return file >> value ? value : -1;
}

/// The process's mask; empty where it is not told.
std::vector<int> affinity_mask() {
    std::vector<int> cpus;
    if (root().empty()) {
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
        }
        return cpus;
    }
    constexpr std::string_view kField = "Cpus_allowed_list:";
    std::ifstream status(root() + "/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(kField)) cpus = parse_core_list(line.substr(kField.size())).value_or(cpus);
    }
    return cpus;
}

/// The control group of `controller` that this process is in; "": version 2's, whose line names none.
std::string group_of(std::string_view controller) {
    std::ifstream groups(root() + "/proc/self/cgroup");  // "4:cpu,cpuacct:/path" or "0::/path"
    for (std::string line; std::getline(groups, line);) {
        std::istringstream parts(line);
        std::string number, names, path;
        if (!std::getline(parts, number, ':') || !std::getline(parts, names, ':') ||
            !std::getline(parts, path) || path[0] != '/') {
            continue;
        }
        bool found = names.empty() && controller.empty();
        std::istringstream each(names);
        for (std::string name; std::getline(each, name, ',');) found = found || name == controller;
        if (found) return path;
    }
    return "/";
}

/// Calls f with `group` and each group above it: a limit of any of them holds.
template <typename F>
void each_group_up(std::string group, const F& f) {
    for (;;) {
        const bool top = group.find_first_not_of('/') == std::string::npos;
        f(top ? "" : group);
        if (top) return;
        group.erase(group.find_last_of('/'));
    }
}

}  // namespace

std::vector<int> usable_cpus() {
    std::vector<int> cpus = affinity_mask();
    if (const auto online = online_cpus(); online && !online->empty()) {
        if (cpus.empty()) cpus = *online;
        std::vector<int> both;
        std::ranges::set_intersection(cpus, *online, std::back_inserter(both));
        if (!both.empty()) return both;
    }
    if (cpus.empty()) {
        for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu)
            cpus.push_back(static_cast<int>(cpu));
    }
    return cpus;
}

std::vector<Cluster> clusters() {
    const std::vector<int> cpus = usable_cpus();
    const auto read = [&](const char* file) {
        std::vector<double> values;
        for (const int cpu : cpus)
            values.push_back(read_number(cpu_folder() + "cpu" + std::to_string(cpu) + "/" + file));
        return values;
    };
    // Either figure orders the cores, but they must not be mixed. A kernel that does not tell kinds apart
    // (x86's, mostly) gives every core the same capacity; their clocks then may still tell.
    std::vector<double> capacities = read("cpu_capacity");
    const auto [least, most] = std::ranges::minmax(capacities);
    if (least <= 0 || least == most) {
        std::vector<double> clocks = read("cpufreq/cpuinfo_max_freq");
        if (least <= 0 || std::ranges::min(clocks) > 0) capacities = std::move(clocks);
    }
    std::vector<Cluster> found;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
        const double capacity = std::max(0.0, capacities[i]);
        // Favoured cores of one kind differ by a few percent (turbo bins); another kind differs by more.
        const auto same = [&](const Cluster& c) {
            return std::fabs(c.capacity - capacity) <= 0.1 * std::max(c.capacity, capacity);
        };
        const auto at = std::find_if(found.begin(), found.end(), same);
        if (at == found.end()) {
            found.push_back({capacity, {cpus[i]}});
        } else {
            at->cpus.push_back(cpus[i]);
        }
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Cluster& a, const Cluster& b) { return a.capacity > b.capacity; });
    return found;
}

double quota_cpus() {
    const std::string mount = root() + "/sys/fs/cgroup";
    double cpus = 0;
    const auto limit = [&](double quota, double period) {
        if (quota > 0 && period > 0 && (cpus == 0 || quota / period < cpus)) cpus = quota / period;
    };
    each_group_up(group_of(""), [&](const std::string& group) {
        std::ifstream max(mount + group + "/cpu.max");  // "max 100000" or "150000 100000"
        double quota = 0;
        double period = 0;
        if (max >> quota >> period) limit(quota, period);
    });
    for (const char* folder : {"/cpu", "/cpu,cpuacct"}) {  // version 1
        each_group_up(group_of("cpu"), [&](const std::string& group) {
            const std::string path = mount + folder + group;
            limit(read_number(path + "/cpu.cfs_quota_us"), read_number(path + "/cpu.cfs_period_us"));
        });
    }
    return cpus;
}

}  // namespace tinyllm::cpu
