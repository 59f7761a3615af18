// What this machine offers to the library: instruction sets, cores, memory, how fast it reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tinyllm/export.h"

namespace tinyllm {

/// Kernels of one instruction set, as TINYLLM_CPU_ISA names it.
struct IsaInfo {
    std::string name;
    bool available = false;  ///< this CPU runs it
};

/// Cores of equal speed that this process may use.
struct ClusterInfo {
    std::vector<int> cpus;
    double capacity =
        0;  ///< cpu_capacity, else the highest frequency in kHz; 0 where the system says neither
};

struct SystemInfo {
    std::string cpu;
    std::vector<IsaInfo> isas;          ///< in this build, slowest first
    std::string live_isa;               ///< what a model loaded now would use
    std::vector<ClusterInfo> clusters;  ///< fastest first
    int threads = 1;                    ///< what `threads = 0` means now
    std::int64_t memory_total = 0;      ///< bytes; 0 where the system does not say
    std::int64_t memory_available = 0;
};

/// Throws Error for a TINYLLM_CPU_ISA or TINYLLM_THREADS that cannot be.
TINYLLM_API SystemInfo system_info();

/// Bytes per second that `threads` threads together read from memory beyond the caches: the best of a few
/// passes over 128 MB (under 0.2 s on most machines).
TINYLLM_API double measured_read_bandwidth(int threads);

}  // namespace tinyllm
