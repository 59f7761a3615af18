// Launches of what works on the KV cache.
#include "kernels/cuda/device/attend.h"
#include "kernels/cuda/device/rope_store.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {
namespace {

template <int kChunks, int kQueries>
void attend(void* stream, const AttendParams& p) {
    using Kernel = Attend<kChunks, kQueries>;
    const int group = p.n_heads / p.kv.n_kv_heads;
    const int parts = (group + p.heads_per_tile - 1) / p.heads_per_tile;
    launch(stream, Grid{p.tiles, p.kv.n_kv_heads * parts, p.splits}, Kernel::shared_bytes(p.kv.head_dim),
           Kernel{p});
}

}  // namespace

void launch_rope_store(void* stream, const RopeStoreParams& p) {
    const int heads = p.n_heads + 2 * p.kv.n_kv_heads;
    const Grid grid{p.n, (heads + RopeStore::kWarps - 1) / RopeStore::kWarps, 1};
    if (p.n > 0) launch(stream, grid, RopeStore::shared_bytes(), RopeStore{p});
}

void launch_attend(void* stream, const AttendParams& p) {
    if (p.tiles == 0) return;
    if (p.kv.head_dim <= 64) {
        attend<2, 4>(stream, p);
    } else if (p.kv.head_dim <= 128) {
        attend<4, 4>(stream, p);
    } else {
        attend<8, 2>(stream, p);
    }
    if (p.splits > 1) launch(stream, Grid{p.n * p.n_heads, 1, 1}, 0, MergeSplits{p});
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
