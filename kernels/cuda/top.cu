// Launches of what makes few candidates of a row of logits.
#include "kernels/cuda/device/top.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

void launch_penalize(void* stream, const PenalizeParams& p) {
    if (p.n > 0) launch(stream, Grid{1, 1, 1}, 0, Penalize{p});
}

void launch_top(void* stream, const TopParams& p) {
    launch(stream, Grid{(p.n + kTopSlice - 1) / kTopSlice, 1, 1}, Top::shared_bytes(p.k), Top{p});
}

void launch_top_total(void* stream, const TopTotalParams& p) {
    launch(stream, Grid{1, 1, 1}, 0, TopTotal{p});
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
