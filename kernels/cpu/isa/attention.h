// One step of online softmax attention over a cache block. Two forms: many queries as small matrix products,
// and one position's heads by dot products. Each is a fixed order of operations per query, whatever stands
// beside it.
#pragma once

#include "kernels/cpu/isa/softmax.h"

namespace tinyllm::cpu::TINYLLM_ISA {

template <int tile>
void attend_columns(const AttendTile* a, int column, const float* keys, const float* values, float* scores,
                    float* mixed) {
    const int n = a->columns - column < tile ? a->columns - column : tile;
    const int panels = (a->n_positions + kLanes - 1) / kLanes;
    float_panels<kF32, tile>(reinterpret_cast<const uint8_t*>(keys), int64_t{4} * a->head_dim * kLanes,
                             panels, a->head_dim, a->q + int64_t{column} * a->head_dim, scores, kKvStep);
    float factors[tile];
    for (int t = 0; t < tile; ++t) {
        if (t < n) {
            factors[t] = soften(a, column + t, scores + t * kKvStep);
        } else {
            for (int j = 0; j < kKvStep; ++j) scores[t * kKvStep + j] = 0;
        }
    }
    int64_t d = 0;
    const auto* v = reinterpret_cast<const uint8_t*>(values);
    for (; d + kFloatPanels * kLanes <= a->ld; d += kFloatPanels * kLanes) {
        float_block<kF32, kFloatPanels, tile, kKvStep, 1>(v + 4 * d, 4 * kLanes, a->ld, a->n_positions,
                                                          scores, mixed + d, a->ld);
    }
    for (; d < a->ld; d += kLanes) {
        float_block<kF32, 1, tile, kKvStep, 1>(v + 4 * d, 4 * kLanes, a->ld, a->n_positions, scores,
                                               mixed + d, a->ld);
    }
    for (int t = 0; t < n; ++t) {
        float* out = a->out + (column + t) * a->ld;
        for (d = 0; d < a->ld; d += kLanes) {
            store(out + d, fma(load(out + d), set1(factors[t]), load(mixed + t * a->ld + d)));
        }
    }
}

/// q: tiles of columns as fill_tile makes them, one behind the other.
void attend_step(const AttendTile* a) {
    float* keys = a->scratch;  // panels of positions: [position / lanes][head_dim][lane]
    float* values = keys + int64_t{kKvStep} * a->ld;   // (kKvStep, ld)
    float* mixed = values + int64_t{kKvStep} * a->ld;  // (tile, ld)
    float* scores = mixed + 16 * a->ld;                // (tile, kKvStep)
    const int64_t k_bytes = cache_row_bytes(a->k_type, a->head_dim);
    float* row = mixed;
    for (int j = 0; j < kKvStep; ++j) {
        load_values(a, a->k, a->k_type, k_bytes, j, 1, row);
        float* to = keys + j / kLanes * a->head_dim * kLanes + j % kLanes;
        for (int64_t d = 0; d < a->head_dim; ++d) to[d * kLanes] = row[d];
    }
    load_values(a, a->v, a->v_type, cache_row_bytes(a->v_type, a->head_dim), 0, kKvStep, values);
    for (int column = 0; column < a->columns;) {
        const int tile = next_tile(a->columns - column);
        if (tile == kTileSizes[0]) {
            attend_columns<kTileSizes[0]>(a, column, keys, values, scores, mixed);
        } else if (tile == kTileSizes[1]) {
            attend_columns<kTileSizes[1]>(a, column, keys, values, scores, mixed);
        } else if (tile == kTileSizes[2]) {
            attend_columns<kTileSizes[2]>(a, column, keys, values, scores, mixed);
        } else if (tile == kTileSizes[3]) {
            attend_columns<kTileSizes[3]>(a, column, keys, values, scores, mixed);
        } else {
            attend_columns<kTileSizes[4]>(a, column, keys, values, scores, mixed);
        }
        column += tile;
    }
}

/// Scores of one query over positions [first, last), and what fills the last vector; reads stored blocks.
template <int type>
void scores_of_blocks(const AttendTile* a, const float* query, int first, int last, float* scores) {
    const int64_t blocks = a->head_dim / kBlock;
    const int64_t row = blocks * kStoredBlock<type>;
    for (int j = first / kLanes * kLanes; j < last; j += kLanes) {
        F acc[kLanes];
        TINYLLM_UNROLL
        for (int i = 0; i < kLanes; ++i) acc[i] = zero();
        for (int64_t b = 0; b < blocks; ++b) {
            F q[kBlockParts];
            TINYLLM_UNROLL
            for (int part = 0; part < kBlockParts; ++part) q[part] = load(query + b * kBlock + part * kLanes);
            const uint8_t* block = a->k + j * row + b * kStoredBlock<type>;
            TINYLLM_UNROLL
            for (int i = 0; i < kLanes; ++i, block += row) {
                F dot = mul(q[0], block_part<type>(block, 0));
                TINYLLM_UNROLL
                for (int part = 1; part < kBlockParts; ++part)
                    dot = fma(q[part], block_part<type>(block, part), dot);
                acc[i] = fma(dot, set1_f16(block), acc[i]);
            }
        }
        store(scores + j, sum_rows(acc));
    }
}

/// out = out * factor + the values of positions [first, last) times their weights p; reads stored blocks.
template <int type>
void mix_blocks(const AttendTile* a, const float* p, int first, int last, F factor, float* out) {
    const int64_t row = a->head_dim / kBlock * kStoredBlock<type>;
    const uint8_t* column = a->v + first * row;
    for (int64_t d = 0; d < a->head_dim; d += kBlock, column += kStoredBlock<type>) {
        F acc[kBlockParts];
        TINYLLM_UNROLL
        for (int i = 0; i < kBlockParts; ++i) acc[i] = mul(load(out + d + i * kLanes), factor);
        const uint8_t* block = column;
        for (int j = first; j < last; ++j, block += row) {
            const F weight = mul(set1(p[j]), set1_f16(block));
            TINYLLM_UNROLL
            for (int i = 0; i < kBlockParts; ++i) acc[i] = fma(weight, block_part<type>(block, i), acc[i]);
        }
        TINYLLM_UNROLL
        for (int i = 0; i < kBlockParts; ++i) store(out + d + i * kLanes, acc[i]);
    }
}

/// Queries up to which reading stored blocks anew for each is cheaper than making floats of them once.
constexpr int kReadAnew = 1;

TINYLLM_INLINE bool reads_blocks(const AttendTile* a, int type) {
    return (type == kQ8_0 || type == kQ4_0) && a->columns <= kReadAnew;
}

/// q: (columns, ld), zero beyond head_dim; all columns see the same positions.
void attend_step_row(const AttendTile* a) {
    float* keys = a->scratch;                         // (lanes, ld)
    float* values = keys + int64_t{kKvStep} * a->ld;  // (kKvStep, ld)
    float* scores = values + int64_t{kKvStep} * a->ld;
    const int64_t k_bytes = cache_row_bytes(a->k_type, a->head_dim);
    const int64_t v_bytes = cache_row_bytes(a->v_type, a->head_dim);
    const int first = a->first[0];
    const int last = a->last[0];
    const bool k_blocks = reads_blocks(a, a->k_type);
    const bool v_blocks = reads_blocks(a, a->v_type);
    for (int c = 0; k_blocks && c < a->columns; ++c) {
        const float* q = a->q + c * a->ld;
        if (a->k_type == kQ8_0) {
            scores_of_blocks<kQ8_0>(a, q, first, last, scores + c * kKvStep);
        } else {
            scores_of_blocks<kQ4_0>(a, q, first, last, scores + c * kKvStep);
        }
    }
    for (int j = first / kLanes * kLanes; !k_blocks && j < last; j += kLanes) {
        load_values(a, a->k, a->k_type, k_bytes, j, kLanes, keys);
        for (int c = 0; c < a->columns; ++c) {
            const float* q = a->q + c * a->ld;
            F acc[kLanes];
            TINYLLM_UNROLL
            for (int i = 0; i < kLanes; ++i) acc[i] = zero();
            for (int64_t d = 0; d < a->ld; d += kLanes) {
                const F v = load(q + d);
                TINYLLM_UNROLL
                for (int i = 0; i < kLanes; ++i) acc[i] = fma(v, load(keys + i * a->ld + d), acc[i]);
            }
            store(scores + c * kKvStep + j, sum_rows(acc));
        }
    }
    if (!v_blocks) load_values(a, a->v + first * v_bytes, a->v_type, v_bytes, 0, last - first, values);
    for (int c = 0; c < a->columns; ++c) {
        float* p = scores + c * kKvStep;
        const F factor = set1(soften(a, c, p));
        float* out = a->out + c * a->ld;
        if (v_blocks) {
            if (a->v_type == kQ8_0) {
                mix_blocks<kQ8_0>(a, p, first, last, factor, out);
            } else {
                mix_blocks<kQ4_0>(a, p, first, last, factor, out);
            }
            continue;
        }
        int64_t d = 0;
        for (; d + 4 * kLanes <= a->ld; d += 4 * kLanes) {
            F acc[4];
            TINYLLM_UNROLL
            for (int i = 0; i < 4; ++i) acc[i] = mul(load(out + d + i * kLanes), factor);
            for (int j = first; j < last; ++j) {
                const float* v = values + (j - first) * a->ld + d;
                TINYLLM_UNROLL
                for (int i = 0; i < 4; ++i) acc[i] = fma(set1(p[j]), load(v + i * kLanes), acc[i]);
            }
            TINYLLM_UNROLL
            for (int i = 0; i < 4; ++i) store(out + d + i * kLanes, acc[i]);
        }
        for (; d < a->ld; d += kLanes) {
            F acc = mul(load(out + d), factor);
            for (int j = first; j < last; ++j)
                acc = fma(set1(p[j]), load(values + (j - first) * a->ld + d), acc);
            store(out + d, acc);
        }
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
