// Attention without a matrix of scores: a block takes some queries of one sequence that share a head of the
// cache, and walks over the keys 32 at a time, which it holds in shared memory, then their values in the same
// place. A warp owns its queries, a lane one key of the 32; largest score, sum and output are kept as they
// stand and scaled when a larger score comes. Steps begin at multiples of 32, and a step that a query sees
// nothing of leaves its state as it was bit by bit, so results do not depend on who shares the block.
#pragma once

#include "kernels/cuda/device/cache.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

constexpr int kAttendWarps = 4;
constexpr int kKeys = 32;  // a step
static_assert(kKeys == kWarp, "a lane per key");

/// Floats of a query, and of a key in shared memory: an odd number of vectors, so that lanes meet other
/// banks.
TINYLLM_BOTH int query_pitch(int head_dim) {
    return (head_dim + 3) / 4 * 4;
}
TINYLLM_BOTH int key_pitch(int head_dim) {
    return query_pitch(head_dim) / 4 % 2 ? query_pitch(head_dim) : query_pitch(head_dim) + 4;
}

/// For heads of up to 32 kChunks; a warp has kQueries queries.
template <int kChunks, int kQueries>
struct Attend {
    static constexpr int kThreads = kAttendWarps * kWarp;
    static constexpr int kTile = kAttendWarps * kQueries;
    AttendParams p;

    static int64_t shared_bytes(int head_dim) {
        return (int64_t{kTile} * query_pitch(head_dim) + kKeys * key_pitch(head_dim) + kTile * kKeys) * 4;
    }

    /// What a lane knows: of query i of its warp the state, equal in all lanes, and the sums of elements
    /// lane, lane + 32, ….
    struct State {
        float top[kQueries], total[kQueries], scale[kQueries];
        float out[kQueries][kChunks];
    };
    struct Scores {
        float of[kQueries];
    };

    TINYLLM_DEVICE void operator()(Block& block) const {
        const int dims = p.kv.head_dim;
        const QueryTile tile = p.tile[block.x];
        const int group = p.n_heads / p.kv.n_kv_heads;
        const int parts = (group + p.heads_per_tile - 1) / p.heads_per_tile;
        const int kv_head = block.y / parts,
                  first_head = kv_head * group + block.y % parts * p.heads_per_tile;
        const int left = (kv_head + 1) * group - first_head;
        const int heads = left < p.heads_per_tile ? left : p.heads_per_tile;
        const Queries queries{tile.first_row, first_head, heads, tile.n_rows * heads};

        // Keys of any of the tile's rows.
        int begin = p.places[tile.first_row].begin, end = p.places[tile.first_row + tile.n_rows - 1].end;
        if (p.splits > 1) {
            begin = begin > block.z * kSplitKeys ? begin : block.z * kSplitKeys;
            end = end < (block.z + 1) * kSplitKeys ? end : (block.z + 1) * kSplitKeys;
            if (begin >= end) {  // the grid is made for longer texts
                block.each([&](int t) {
                    for (int i = t; i < queries.n; i += kThreads)
                        part(block.z, queries, i)[0] = kMinusInfinity;
                });
                return;
            }
        }
        const int table = p.places[tile.first_row].table;

        Shared<float> q(block, kTile * query_pitch(dims)), keys(block, kKeys * key_pitch(dims)),
            weights(block, kTile * kKeys);
        PerThread<State> state(block);
        PerThread<Scores> scores(block), tops(block);
        block.each([&](int t) {
            for (int e = t; e < kTile * query_pitch(dims); e += kThreads) {
                const int i = e / query_pitch(dims), c = e % query_pitch(dims);
                const bool inside = i < queries.n && c < dims;
                q.set(t, e, inside ? p.q[(queries.row(i) * p.n_heads + queries.head(i)) * dims + c] : 0.0f);
            }
            TINYLLM_UNROLL
            for (int i = 0; i < kQueries; ++i) {
                state[t].top[i] = kMinusInfinity;
                state[t].total[i] = 0;
                TINYLLM_UNROLL
                for (int j = 0; j < kChunks; ++j) state[t].out[i][j] = 0;
            }
        });
        for (int first = begin / kKeys * kKeys; first < end; first += kKeys) {
            load(block, p.kv.k, p.kv.k_row_bytes, table, kv_head, first, begin, end, keys);
            block.sync();
            block.each([&](int t) { score(t, queries, first, q, keys, scores[t]); });
            block.each([&](int t) { tops[t] = scores[t]; });
            TINYLLM_UNROLL
            for (int i = 0; i < kQueries; ++i) {
                block.warp_reduce([&](int t) -> float& { return tops[t].of[i]; }, Largest());
            }
            block.each([&](int t) {
                TINYLLM_UNROLL
                for (int i = 0; i < kQueries; ++i) {
                    State& s = state[t];
                    const float top = Largest()(s.top[i], tops[t].of[i]);
                    // Nothing seen yet: infinity less infinity is no number.
                    s.scale[i] = s.top[i] == top ? 1.0f : expf(s.top[i] - top);
                    const float weight = scores[t].of[i] == kMinusInfinity ? 0 : expf(scores[t].of[i] - top);
                    s.top[i] = top;
                    scores[t].of[i] = weight;
                    weights.set(t, (t / kWarp * kQueries + i) * kKeys + t % kWarp, weight);
                }
            });
            TINYLLM_UNROLL
            for (int i = 0; i < kQueries; ++i) {
                block.warp_reduce([&](int t) -> float& { return scores[t].of[i]; }, Sum());
            }
            block.sync();  // the keys have been read
            load(block, p.kv.v, p.kv.v_row_bytes, table, kv_head, first, begin, end, keys);
            block.sync();
            block.each([&](int t) {
                if (query(t, 0) < queries.n) mix(t, dims, keys, weights, scores[t], state[t]);
            });
            block.sync();
        }
        block.each([&](int t) { finish(t, block.z, queries, state[t]); });
    }

  private:
    /// Query i of a tile: rows before heads.
    struct Queries {
        int first_row, first_head, heads, n;
        TINYLLM_DEVICE int64_t row(int i) const { return first_row + i / heads; }
        TINYLLM_DEVICE int head(int i) const { return first_head + i % heads; }
    };
    static TINYLLM_DEVICE int query(int t, int i) { return t / kWarp * kQueries + i; }
    /// What a split found for query i: largest score, sum of weights, weighted values.
    TINYLLM_DEVICE float* part(int split, const Queries& queries, int i) const {
        const int64_t at = queries.row(i) * p.n_heads + queries.head(i);
        return p.parts + (split * p.n * p.n_heads + at) * (p.kv.head_dim + 2);
    }

    /// Rows of the cache; zeros for those that nobody of the tile sees.
    TINYLLM_DEVICE void load(Block& block, const CacheParams& cache, int64_t row_bytes, int table,
                             int kv_head, int first, int begin, int end, Shared<float>& keys) const {
        const int dims = p.kv.head_dim;
        block.each([&](int t) {
            for (int j = t / kWarp; j < kKeys; j += kAttendWarps) {
                const bool seen = first + j >= begin && first + j < end;
                const unsigned char* row =
                    seen ? cache_row(cache, row_bytes, table, first + j, kv_head) : nullptr;
                for (int c = t % kWarp; c < query_pitch(dims); c += kWarp) {
                    keys.set(t, j * key_pitch(dims) + c,
                             seen && c < dims ? cached(cache.type, row, c) : 0.0f);
                }
            }
        });
    }

    TINYLLM_DEVICE void score(int t, const Queries& queries, int first, Shared<float>& q, Shared<float>& keys,
                              Scores& scores) const {
        TINYLLM_UNROLL
        for (int i = 0; i < kQueries; ++i) scores.of[i] = 0;
        if (query(t, 0) < queries.n) {
            const int dims = p.kv.head_dim, lane = t % kWarp;
            for (int c = 0; c < dims; c += 4) {
                float k[4];
                keys.get4(t, lane * key_pitch(dims) + c, k);
                TINYLLM_UNROLL
                for (int i = 0; i < kQueries; ++i) {
                    float x[4];
                    q.get4(t, query(t, i) * query_pitch(dims) + c, x);
                    TINYLLM_UNROLL
                    for (int j = 0; j < 4; ++j) scores.of[i] = fmaf(x[j], k[j], scores.of[i]);
                }
            }
        }
        TINYLLM_UNROLL
        for (int i = 0; i < kQueries; ++i) {
            const int key = first + t % kWarp;
            scores.of[i] = query(t, i) < queries.n ? biased(queries.row(query(t, i)),
                                                            queries.head(query(t, i)), key, scores.of[i])
                                                   : kMinusInfinity;
        }
    }

    TINYLLM_DEVICE float biased(int64_t row, int head, int key, float dot) const {
        const RowPlace place = p.places[row];
        if (key < place.begin || key >= place.end) return kMinusInfinity;
        float score = dot * p.scale;
        const int distance = key - place.position;
        if (p.slopes) score = fmaf(p.slopes[head], static_cast<float>(distance), score);
        if (p.relative) {
            const int near = distance < -p.span ? -p.span : distance > p.span ? p.span : distance;
            score += p.relative[int64_t{head} * (2 * p.span + 1) + near + p.span];
        }
        return score;
    }

    TINYLLM_DEVICE void mix(int t, int dims, Shared<float>& values, Shared<float>& weights,
                            const Scores& sums, State& s) const {
        TINYLLM_UNROLL
        for (int i = 0; i < kQueries; ++i) {
            s.total[i] = fmaf(s.total[i], s.scale[i], sums.of[i]);
            TINYLLM_UNROLL
            for (int j = 0; j < kChunks; ++j) s.out[i][j] *= s.scale[i];
        }
        const int lane = t % kWarp;
        for (int key = 0; key < kKeys; ++key) {
            TINYLLM_UNROLL
            for (int i = 0; i < kQueries; ++i) {
                const float weight = weights.get(t, query(t, i) * kKeys + key);
                if (weight == 0) continue;  // a value that the query does not see may be no number
                TINYLLM_UNROLL
                for (int j = 0; j < kChunks; ++j) {
                    const int c = lane + kWarp * j;
                    if (c < dims)
                        s.out[i][j] = fmaf(weight, values.get(t, key * key_pitch(dims) + c), s.out[i][j]);
                }
            }
        }
    }

    TINYLLM_DEVICE void finish(int t, int split, const Queries& queries, const State& s) const {
        const int dims = p.kv.head_dim, lane = t % kWarp;
        TINYLLM_UNROLL
        for (int i = 0; i < kQueries; ++i) {
            if (query(t, i) >= queries.n) continue;
            const int64_t at = queries.row(query(t, i)) * p.n_heads + queries.head(query(t, i));
            float* found = p.splits > 1 ? part(split, queries, query(t, i)) : nullptr;
            TINYLLM_UNROLL
            for (int j = 0; j < kChunks; ++j) {
                const int c = lane + kWarp * j;
                if (c >= dims) continue;
                if (p.splits > 1) {
                    found[2 + c] = s.out[i][j];
                } else {
                    p.out[at * dims + c] = s.out[i][j] / s.total[i];
                }
            }
            if (p.splits > 1 && lane == 0) {
                found[0] = s.top[i];
                found[1] = s.total[i];
            }
        }
    }
};

/// Adds up what the splits of a query found. One that found nothing leaves no trace, so a query of few keys
/// gets the same bits whether others of the call have many.
struct MergeSplits {
    static constexpr int kThreads = 64;
    AttendParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const int dims = p.kv.head_dim;
        if (p.places[block.x / p.n_heads].end == 0) return;
        const int64_t queries = p.n * p.n_heads, pitch = dims + 2;
        const float* parts = p.parts + block.x * pitch;
        block.each([&](int t) {
            float top = kMinusInfinity;
            for (int s = 0; s < p.splits; ++s) top = Largest()(top, parts[s * queries * pitch]);
            for (int c = t; c < dims; c += kThreads) {
                float total = 0, out = 0;
                for (int s = 0; s < p.splits; ++s) {
                    const float* part = parts + s * queries * pitch;
                    if (part[0] == kMinusInfinity) continue;
                    const float scale = part[0] == top ? 1.0f : expf(part[0] - top);
                    total = fmaf(part[1], scale, total);
                    out = fmaf(part[2 + c], scale, out);
                }
                p.out[block.x * dims + c] = out / total;
            }
        });
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
