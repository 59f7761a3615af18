// What this machine is: instruction sets, core clusters, how many threads to use.
#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/kernel_table.h"

namespace tinyllm::cpu {

/// Kernels of this build, slowest first; the last that runs here is the default.
struct Isa {
    const KernelTable* table;
    bool runs_here;
};
std::vector<Isa> isas();

/// `name`, else TINYLLM_CPU_ISA, else the best. Throws Error: usage for an unknown name, unsupported for one
/// this CPU cannot run.
const KernelTable& choose_isa(const std::string& name);

/// Cores of equal speed, of those this process may run on.
struct Cluster {
    double capacity =
        0;  // relative: cpu_capacity, else the highest frequency in kHz; 0 where the system says neither
    std::vector<int> cpus;
};

/// Fastest first; never empty. Reads $TINYLLM_SYSFS_ROOT/sys/devices/system/cpu; a fake tree's cores are all
/// allowed.
std::vector<Cluster> clusters();

/// CPUs the control group's quota allows, rounded up; 0: no limit.
int quota_cpus();

/// `requested` > 0, else TINYLLM_THREADS, else one per core of the fastest cluster within the quota. Throws
/// Error(usage).
int choose_threads(int requested);

/// "Intel(R) Xeon(R) …"; the board's name where /proc/cpuinfo has none.
std::string cpu_name();

}  // namespace tinyllm::cpu
