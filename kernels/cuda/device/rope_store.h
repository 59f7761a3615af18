// What follows the projection of q, k and v: rotation, q to its place, k and v to the cache. A warp per head
// of a row.
#pragma once

#include "kernels/cuda/device/cache.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

struct RopeStore {
    static constexpr int kThreads = 128;
    static constexpr int kWarps = kThreads / kWarp;
    RopeStoreParams p;

    static int64_t shared_bytes() { return kThreads * 4; }

    TINYLLM_DEVICE void operator()(Block& block) const {
        const int heads = p.n_heads + 2 * p.kv.n_kv_heads, dims = p.kv.head_dim;
        const int row = block.x;
        const RowPlace place = p.places[row];
        const float* in = p.qkv + int64_t{row} * heads * dims;
        const int half = p.rope_dims / 2;
        Shared<float> values(block, kThreads);
        for (int i = 0; i < dims; i += kWarp) {
            block.each([&](int t) {
                const int head = block.y * kWarps + t / kWarp, c = i + t % kWarp;
                float x = 0;
                if (head < heads && c < dims) {
                    const float* from = in + int64_t{head} * dims;
                    const bool rotated = c < p.rope_dims && head < p.n_heads + p.kv.n_kv_heads;
                    x = rotated ? rotate(from, int64_t{place.position} * half, c, half) : from[c];
                }
                values.set(t, t, x);
            });
            block.sync_warps();
            block.each([&](int t) {
                const int lane = t % kWarp, head = block.y * kWarps + t / kWarp, c = i + lane;
                if (head >= heads) return;
                if (head < p.n_heads) {
                    if (c < dims) p.q[(int64_t{row} * p.n_heads + head) * dims + c] = values.get(t, t);
                    return;
                }
                const int kv_head = (head - p.n_heads) % p.kv.n_kv_heads;
                const bool is_k = head - p.n_heads < p.kv.n_kv_heads;
                const CacheParams& cache = is_k ? p.kv.k : p.kv.v;
                unsigned char* to = cache_row(cache, is_k ? p.kv.k_row_bytes : p.kv.v_row_bytes, place.table,
                                              place.position, kv_head);
                store_cached(cache.type, to, i, dims, lane,
                             [&](int j) { return values.get(t, t - lane + j); });
            });
            block.sync_warps();
        }
    }

  private:
    /// Element c of a head after rotation; element i pairs with i + half.
    TINYLLM_DEVICE float rotate(const float* head, int64_t angles, int c, int half) const {
        if (c < half) return fmaf(head[c], p.cos[angles + c], -(head[c + half] * p.sin[angles + c]));
        const int i = c - half;
        return fmaf(head[c], p.cos[angles + i], head[i] * p.sin[angles + i]);
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
