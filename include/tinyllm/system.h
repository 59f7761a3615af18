// What this machine offers to the library: instruction sets, cores, memory, how fast it reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tinyllm/export.h"
#include "tinyllm/profile.h"

namespace tinyllm {

/// Kernels of one instruction set, as TINYLLM_CPU_ISA names it.
struct IsaInfo {
    std::string name;
    bool available = false;  ///< this CPU runs it
    std::string needs;       ///< features of the CPU; empty for those that any has
};

/// Cores of equal speed that this process may use.
struct ClusterInfo {
    std::vector<int> cpus;
    double capacity =
        0;  ///< cpu_capacity, else the highest frequency in kHz; 0 where the system says neither
};

/// Where the threads of a model run.
struct Placement {
    std::vector<int> cores;  ///< ascending
    int threads = 1;
    /// Thread i stays on cores[i]; else each runs on any of them, wherever the system finds a free one.
    bool one_each = false;
    std::string why;  ///< "the fastest of 2 clusters; one thread per core"
};

/// Most threads a model may have.
inline constexpr int kMostThreads = 256;

struct SystemInfo {
    std::string cpu;
    std::vector<IsaInfo> isas;          ///< in this build, slowest first
    std::string live_isa;               ///< what a model loaded now would use
    std::vector<ClusterInfo> clusters;  ///< fastest first
    Placement placement;                ///< of a model loaded now with the default options
    double quota = 0;                   ///< CPUs the control group grants; 0: no limit
    std::int64_t memory_total = 0;      ///< bytes; 0 where the system does not say
    std::int64_t memory_available = 0;
};

/// Throws Error for a TINYLLM_CPU_ISA, TINYLLM_CORES or TINYLLM_THREADS that cannot be.
TINYLLM_API SystemInfo system_info();

/// What ModelOptions with these `cores` and `threads` mean on this machine, now. Throws Error(usage) for a
/// word that is no list of cores, a core that cannot be used (saying which can), and threads outside 0 to
/// kMostThreads.
TINYLLM_API Placement place_threads(const std::string& cores = {}, int threads = 0);

/// Cores as the kernel and taskset write them: "0-3,6".
TINYLLM_API std::string show_cores(const std::vector<int>& cores);

/// Bytes per second that the threads so placed together read from memory beyond the caches: the best of a few
/// passes over 128 MB (under 0.2 s on most machines). Throws like place_threads.
TINYLLM_API double measured_read_bandwidth(int threads, const std::string& cores = {});

/// Multiply-adds per second that `threads` threads together reach in the live kernels' own inner product of
/// f32, q8_0 or bf16 weights, all of it in the nearest caches (about 0.1 s); 0 where they have none of that
/// kind.
TINYLLM_API double measured_multiply_adds(Products products, int threads, const std::string& cores = {});

/// Seconds that `threads` threads take until all of them are at work and done again: what each op of a model
/// costs beside its work.
TINYLLM_API double measured_meeting_seconds(int threads, const std::string& cores = {});

}  // namespace tinyllm
