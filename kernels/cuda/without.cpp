// The GPU probe of a build without the CUDA toolkit.
#include "tinyllm/gpu.h"

namespace tinyllm {

GpuProbe probe_gpus() {
    return {
        .built_in = false, .status = "this build has no CUDA (configure with -DTINYLLM_CUDA=ON)", .gpus = {}};
}

}  // namespace tinyllm
