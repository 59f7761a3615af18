// What stands between a launch and the device: a Stream takes launches one by one, to run or to note them.
// C++14, since the device's compiler reads it.
#pragma once

#include "kernels/cuda/device/platform.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// A kernel and its arguments. Without padding: launches are compared byte by byte.
struct Launch {
    const void* kernel = nullptr;  // a __global__ function; of the emulation an EmulatedKernel
    int64_t blocks_x = 1;
    int blocks_y = 1, blocks_z = 1;
    int threads = 0, shared_bytes = 0;
    int64_t bytes = 0;  // of the arguments
    const void* arguments = nullptr;
};

/// `kernel` is what a Stream runs as a launch of `arguments`, a Kernel, which must outlive the result.
template <typename Kernel, typename Grid>
Launch launch_of(const void* kernel, const Grid& grid, int64_t shared_bytes, const Kernel& arguments) {
    Launch launch;
    launch.kernel = kernel;
    launch.blocks_x = grid.x;
    launch.blocks_y = grid.y;
    launch.blocks_z = grid.z;
    launch.threads = Kernel::kThreads;
    launch.shared_bytes = static_cast<int>(shared_bytes);
    launch.bytes = sizeof(Kernel);
    launch.arguments = &arguments;
    return launch;
}

/// launch_…() of launch.h are given one as `void*`.
class Stream {
  public:
    /// The arguments are the caller's again on return.
    virtual void launch(const Launch& launch) = 0;

  protected:
    ~Stream() = default;
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
