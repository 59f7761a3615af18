// One step of online softmax attention over a cache block for many queries, which lie side by side in the
// lanes: scores are products of stored keys and panels of queries, softmax is vectors throughout, and the
// weights stand as the tiles of the product with the values. Each is a fixed order of operations per query,
// whatever stands beside it: what a query does not see adds exactly nothing. Scores are in powers of 2
// (queries come times log2 e), which saves the exponential a third of its steps.
#pragma once

#include "kernels/cpu/isa/softmax.h"

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kSums = kFloatPanels * kLargestTile;            // vectors of sums that the registers hold
constexpr int kQueryPanels = kSums % 3 == 0 ? 3 : kSums / 4;  // that are multiplied side by side
constexpr int kKeysAtOnce = kSums / kQueryPanels;
constexpr int kQueries = kQueryPanels * kLanes;  // of a group: its weights are kept in the nearest cache
constexpr int kKeyWidth = 64;                    // elements of keys that lie side by side
static_assert(kQueries % kLargestTile == 0 && kQueries <= kMostQueries && kKvStep % kKeysAtOnce == 0 &&
              kKeyWidth % kBlock == 0);

/// scores[j][panel][lane] of kKeysAtOnce positions. q: panels of (head_dim, lanes).
template <int panels>
TINYLLM_INLINE void score_keys(const AttendTile* a, const float* q, const float* keys, float* scores) {
    F acc[panels][kKeysAtOnce];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) {
        TINYLLM_UNROLL
        for (int j = 0; j < kKeysAtOnce; ++j) acc[p][j] = zero();
    }
    const int64_t stride = int64_t{a->head_dim} * kLanes;
    for (int64_t d = 0; d < a->head_dim; d += kKeyWidth, keys += kKvStep * kKeyWidth) {
        const int64_t width = a->head_dim - d < kKeyWidth ? a->head_dim - d : kKeyWidth;
        for (int64_t k = 0; k < width; ++k, q += kLanes) {
            F v[panels];
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) v[p] = load(q + p * stride);
            TINYLLM_UNROLL
            for (int j = 0; j < kKeysAtOnce; ++j) {
                const F key = set1(keys[j * kKeyWidth + k]);
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p) acc[p][j] = fma(v[p], key, acc[p][j]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int j = 0; j < kKeysAtOnce; ++j) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(scores + j * kQueries + p * kLanes, acc[p][j]);
    }
}

/// out = out * factor + the values of positions [0, n) times their weights, for `tile` queries.
template <int vectors, int tile>
TINYLLM_INLINE void mix_values(const float* values, int64_t ld, int n, const float* weights,
                               const float* factors, float* out) {
    F acc[vectors][tile];
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        const F factor = set1(factors[t]);
        TINYLLM_UNROLL
        for (int i = 0; i < vectors; ++i) acc[i][t] = mul(load(out + t * ld + i * kLanes), factor);
    }
    for (int j = 0; j < n; ++j, values += ld, weights += kQueries) {
        F v[vectors];
        TINYLLM_UNROLL
        for (int i = 0; i < vectors; ++i) v[i] = load(values + i * kLanes);
        TINYLLM_UNROLL
        for (int t = 0; t < tile; ++t) {
            const F w = set1(weights[t]);
            TINYLLM_UNROLL
            for (int i = 0; i < vectors; ++i) acc[i][t] = fma(v[i], w, acc[i][t]);
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        TINYLLM_UNROLL
        for (int i = 0; i < vectors; ++i) store(out + t * ld + i * kLanes, acc[i][t]);
    }
}

template <int tile>
void mix_tile(const float* values, int64_t ld, int n, const float* weights, const float* factors,
              float* out) {
    int64_t d = 0;
    for (; d + kFloatPanels * kLanes <= ld; d += kFloatPanels * kLanes)
        mix_values<kFloatPanels, tile>(values + d, ld, n, weights, factors, out + d);
    for (; d < ld; d += kLanes) mix_values<1, tile>(values + d, ld, n, weights, factors, out + d);
}

/// What a group of queries sees of a block: nothing outside [begin, end), and `whole`: each all of it.
struct Seen {
    int begin, end;
    bool whole;
};

TINYLLM_INLINE Seen seen_by(const AttendTile* a, int column, int n) {
    int begin = kKvStep, end = 0, latest = 0, earliest = kKvStep;
    for (int c = column; c < column + n; ++c) {
        const int first = a->first[c];
        const int last = a->last[c];
        latest = first > latest ? first : latest;
        earliest = last < earliest ? last : earliest;
        if (first >= last) continue;
        begin = first < begin ? first : begin;
        end = last > end ? last : end;
    }
    return {begin, end, latest <= begin && earliest >= end};
}

/// Adds what depends on the distance to the scores of a group.
TINYLLM_INLINE void add_biases(const AttendTile* a, int column, int n, Seen seen, float* scores) {
    for (int c = column; c < column + n; ++c, ++scores) {
        const int first = a->first[c] > seen.begin ? a->first[c] : seen.begin;
        if (a->alibi) {
            for (int j = first; j < a->last[c]; ++j)
                scores[j * kQueries] += kLog2E * a->alibi[c] * static_cast<float>(j - a->origin[c]);
        }
        if (a->relative && first < a->last[c])
            add_relative(relative_row(a, c % a->group), a->span, a->origin[c], first, a->last[c], scores,
                         kQueries, kLog2E);
    }
}

/// Scores (position, kQueries) of one vector of queries become weights, exactly zero where nothing is seen.
template <bool whole>
TINYLLM_INLINE void soften_lanes(const AttendTile* a, int column, Seen seen, float* scores, float* factors) {
    const F first = to_float(load_i(a->first + column));
    const F end = to_float(sub_i(load_i(a->last + column), set1_i(1)));
    const auto hidden = [&](int j) {  // below zero where position j is not seen
        const F at = set1(static_cast<float>(j));
        return min(sub(at, first), sub(end, at));
    };
    const F before = load(a->top + column);
    F top = before;
    for (int j = seen.begin; j < seen.end; ++j) {
        F s = load(scores + j * kQueries);
        if constexpr (!whole) s = select_negative(hidden(j), set1(-__builtin_inff()), s);
        top = max(top, s);
    }
    const F from = max(set1(-3e38f), top);  // whoever has seen nothing yet
    F total = zero();
    for (int j = seen.begin; j < seen.end; ++j) {
        F e = exp2_below(sub(load(scores + j * kQueries), from));
        if constexpr (!whole) e = select_negative(hidden(j), zero(), e);
        store(scores + j * kQueries, e);
        total = add(total, e);
    }
    const F factor = exp2_below(sub(before, from));
    store(a->top + column, top);
    store(a->sum + column, fma(load(a->sum + column), factor, total));
    store(factors, factor);
}

/// A block's keys as f32 [element / kKeyWidth][position][kKeyWidth].
TINYLLM_INLINE void load_keys_by_width(const AttendTile* a, float* keys) {
    const int64_t bytes = cache_row_bytes(a->k_type, a->head_dim);
    for (int64_t d = 0; d < a->head_dim; d += kKeyWidth, keys += kKvStep * kKeyWidth) {
        const int64_t width = a->head_dim - d < kKeyWidth ? a->head_dim - d : kKeyWidth;
        const uint8_t* rows = a->k + cache_row_bytes(a->k_type, d);
        for (int j = 0; j < a->n_positions; ++j, rows += bytes)
            load_row(a->k_type, rows, keys + j * kKeyWidth, width);
    }
}

template <int panels>
void attend_queries(const AttendTile* a, int column, Seen seen, const float* keys, const float* values,
                    float* scores) {
    const float* q = a->q + int64_t{column} * a->head_dim;
    for (int j = seen.begin / kKeysAtOnce * kKeysAtOnce; j < seen.end; j += kKeysAtOnce)
        score_keys<panels>(a, q, keys + j * kKeyWidth, scores + j * kQueries);
    const int n = a->columns - column < panels * kLanes ? a->columns - column : panels * kLanes;
    if (a->alibi || a->relative) add_biases(a, column, n, seen, scores);
    float factors[kQueries];
    for (int p = 0; p < panels; ++p) {
        const int c = column + p * kLanes;
        if (seen.whole) {
            soften_lanes<true>(a, c, seen, scores + p * kLanes, factors + p * kLanes);
        } else {
            soften_lanes<false>(a, c, seen, scores + p * kLanes, factors + p * kLanes);
        }
    }
    const float* weights = scores + seen.begin * kQueries;
    const float* rows = values + seen.begin * a->ld;
    const int n_seen = seen.end - seen.begin;
    for (int t = 0; t < n;) {
        int tile = next_tile(n - t);
        for (int i = kMaxTiles - 1; t + tile > panels * kLanes; --i) tile = kTileSizes[i];
        const auto mix = [&](auto mix_some) {
            mix_some(rows, a->ld, n_seen, weights + t, factors + t, a->out + (column + t) * a->ld);
        };
        if (tile == kTileSizes[0]) {
            mix(mix_tile<kTileSizes[0]>);
        } else if (tile == kTileSizes[1]) {
            mix(mix_tile<kTileSizes[1]>);
        } else if (tile == kTileSizes[2]) {
            mix(mix_tile<kTileSizes[2]>);
        } else if (tile == kTileSizes[3]) {
            mix(mix_tile<kTileSizes[3]>);
        } else {
            mix(mix_tile<kTileSizes[4]>);
        }
        t += tile;
    }
}

void attend_step(const AttendTile* a) {
    float* keys = a->scratch;  // see load_keys_by_width
    float* values = keys + (a->head_dim + kKeyWidth - 1) / kKeyWidth * kKeyWidth * kKvStep;  // (kKvStep, ld)
    float* scores = values + int64_t{kKvStep} * a->ld;  // (kKvStep, kQueries)
    load_keys_by_width(a, keys);
    load_rows(a->v_type, a->v, a->head_dim, a->n_positions, values, a->ld);
    for (int column = 0; column < a->columns; column += kQueries) {
        const int n = a->columns - column < kQueries ? a->columns - column : kQueries;
        const Seen seen = seen_by(a, column, n);
        if (seen.begin >= seen.end) continue;
        const int panels = (n + kLanes - 1) / kLanes;
        if (panels == kQueryPanels) {
            attend_queries<kQueryPanels>(a, column, seen, keys, values, scores);
        } else if (panels == 1) {
            attend_queries<1>(a, column, seen, keys, values, scores);
        } else if (panels == 2) {
            attend_queries<2>(a, column, seen, keys, values, scores);
        } else {
            attend_queries<(kQueryPanels > 3 ? 3 : 1)>(a, column, seen, keys, values, scores);
        }
        static_assert(kQueryPanels <= 4);
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
