// What GPUs this machine has, as far as this build can tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tinyllm/export.h"

namespace tinyllm {

struct Gpu {
    std::string name;
    int compute_major = 0, compute_minor = 0;  ///< compute capability; 9 and 0 are SM 9.0
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t free_bytes = 0;  ///< of the first, which models run on; 0: not known
    std::int64_t l2_bytes = 0;
    bool integrated = false;  ///< shares the host's memory, as on a Jetson
};

struct GpuProbe {
    bool built_in = false;  ///< this build can ask the CUDA runtime
    std::string status;     ///< one line: what was found, or why nothing was
    std::vector<Gpu> gpus;
};

/// Asks the driver; never throws for a missing GPU, driver or toolkit: `status` says which.
TINYLLM_API GpuProbe probe_gpus();

}  // namespace tinyllm
