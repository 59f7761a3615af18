// Which cores this process may use, how fast they are, and how much of them. All paths begin with
// $TINYLLM_SYSFS_ROOT: a fake tree in tests. Who runs where: kernels/cpu/placement.cpp.
#pragma once

#include <vector>

namespace tinyllm::cpu {

/// CPUs that are online and in this process's affinity mask (a fake tree's: Cpus_allowed_list of its
/// /proc/self/status), ascending; never empty.
std::vector<int> usable_cpus();

/// Cores of equal speed, of those this process may run on. Hyperthreads count as cores.
struct Cluster {
    double capacity =
        0;  // relative: cpu_capacity, else the highest frequency in kHz; 0 where the system says neither
    std::vector<int> cpus;
};

/// Fastest first; never empty. Reads /sys/devices/system/cpu.
std::vector<Cluster> clusters();

/// CPUs the control group's quota allows (version 1 or 2, the tightest group on the way up); 0: no limit.
double quota_cpus();

}  // namespace tinyllm::cpu
