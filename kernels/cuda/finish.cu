#include "kernels/cuda/device/finish.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

void launch_finish(void* stream, const FinishParams& p) {
    const int64_t per_row = (p.rows + Finish::kThreads - 1) / Finish::kThreads;
    if (p.n > 0 && p.rows > 0) launch(stream, Grid{p.n * per_row, 1, 1}, 0, Finish{p});
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
