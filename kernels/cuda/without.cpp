// What a build without the CUDA toolkit has in place of the kernels and of the GPU probe.
#include "kernels/backend.h"
#include "tinyllm/error.h"
#include "tinyllm/gpu.h"

namespace tinyllm {

GpuProbe probe_gpus() {
    return {
        .built_in = false, .status = "this build has no CUDA (configure with -DTINYLLM_CUDA=ON)", .gpus = {}};
}

std::unique_ptr<Backend> make_cuda_backend(const BackendOptions&) {
    throw Error(ErrorKind::device,
                "device cuda: this build has no CUDA kernels (configure with -DTINYLLM_CUDA=ON)");
}

bool has_cuda_kernels() {
    return false;
}

}  // namespace tinyllm
