// Softmax attention of one position's heads to a few cache blocks, by dot products. Stored rows are turned
// into floats in registers, once for as many heads of a group as the registers hold; what comes next is asked
// for meanwhile, since a block's rows are too short a stream for the hardware's prefetcher.
#pragma once

#include "kernels/cpu/isa/attention.h"

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kRowHeads = 4;    // that share a conversion
constexpr int kRowsAtOnce = 4;  // positions whose dot products are summed side by side
constexpr int kMixVectors = 4;  // of an output's row, at most
static_assert(kLanes % kRowsAtOnce == 0);

/// Rows of one block, and the rows of another that are read next (null: none).
struct StoredRows {
    const uint8_t* rows;
    int64_t bytes;  // of a row
    int64_t width;  // elements
    const uint8_t* next;
    int64_t next_bytes;
};

/// Asks for `n` rows of what is read next, those at the place of `row`.
TINYLLM_INLINE void ask_for_rows(const StoredRows& from, int64_t row, int n) {
    if (!from.next) return;
    const uint8_t* at = from.next + row * from.next_bytes;
    for (int64_t byte = 0; byte < n * from.next_bytes; byte += 64) __builtin_prefetch(at + byte, 0, 2);
}

/// Scores of `heads` queries over positions [first, last) of a block, and what fills the first and last
/// vector. q: (heads, ld), scores: (heads, kRowPositions).
template <int type, int heads>
void row_scores(const StoredRows& keys, const float* q, int64_t ld, int first, int last, float* scores) {
    for (int j = first / kLanes * kLanes; j < last; j += kLanes) {
        F dots[heads][kLanes];
        for (int i = 0; i < kLanes; i += kRowsAtOnce) {
            ask_for_rows(keys, j + i, kRowsAtOnce);
            const uint8_t* rows = keys.rows + (j + i) * keys.bytes;
            F acc[heads][kRowsAtOnce];
            TINYLLM_UNROLL
            for (int h = 0; h < heads; ++h) {
                TINYLLM_UNROLL
                for (int r = 0; r < kRowsAtOnce; ++r) acc[h][r] = zero();
            }
            if constexpr (type == kQ8_0 || type == kQ4_0) {
                for (int64_t d = 0; d < keys.width; d += kBlock, rows += kStoredBlock<type>) {
                    TINYLLM_UNROLL
                    for (int r = 0; r < kRowsAtOnce; ++r) {
                        const uint8_t* block = rows + r * keys.bytes;
                        F dot[heads];
                        TINYLLM_UNROLL
                        for (int part = 0; part < kBlockParts; ++part) {
                            const F v = block_part<type>(block, part);
                            TINYLLM_UNROLL
                            for (int h = 0; h < heads; ++h) {
                                const F x = load(q + h * ld + d + part * kLanes);
                                dot[h] = part == 0 ? mul(x, v) : fma(x, v, dot[h]);
                            }
                        }
                        const F scale = set1_f16(block);
                        TINYLLM_UNROLL
                        for (int h = 0; h < heads; ++h) acc[h][r] = fma(dot[h], scale, acc[h][r]);
                    }
                }
            } else {
                for (int64_t d = 0; d < keys.width; d += kLanes) {
                    F v[kRowsAtOnce];
                    TINYLLM_UNROLL
                    for (int r = 0; r < kRowsAtOnce; ++r) v[r] = weight<type>(rows + r * keys.bytes, d);
                    TINYLLM_UNROLL
                    for (int h = 0; h < heads; ++h) {
                        const F x = load(q + h * ld + d);
                        TINYLLM_UNROLL
                        for (int r = 0; r < kRowsAtOnce; ++r) acc[h][r] = fma(x, v[r], acc[h][r]);
                    }
                }
            }
            TINYLLM_UNROLL
            for (int h = 0; h < heads; ++h) {
                TINYLLM_UNROLL
                for (int r = 0; r < kRowsAtOnce; ++r) dots[h][i + r] = acc[h][r];
            }
        }
        for (int h = 0; h < heads; ++h) store(scores + h * kRowPositions + j, sum_rows(dots[h]));
    }
}

/// Adds the values of positions [first, last) of a block times their weights to `vectors` vectors of each
/// head's output from element d on.
template <int type, int heads, int vectors>
TINYLLM_INLINE void mix_columns(const StoredRows& values, const float* weights, int first, int last,
                                int64_t d, float* out, int64_t ld) {
    F acc[heads][vectors];
    TINYLLM_UNROLL
    for (int h = 0; h < heads; ++h) {
        TINYLLM_UNROLL
        for (int i = 0; i < vectors; ++i) acc[h][i] = load(out + h * ld + d + i * kLanes);
    }
    const uint8_t* row = values.rows + first * values.bytes;
    for (int j = first; j < last; ++j, row += values.bytes) {
        if (d == 0) ask_for_rows(values, j, 1);
        if constexpr (type == kQ8_0 || type == kQ4_0) {
            static_assert(vectors % kBlockParts == 0);
            TINYLLM_UNROLL
            for (int b = 0; b < vectors / kBlockParts; ++b) {
                const uint8_t* block = row + (d / kBlock + b) * kStoredBlock<type>;
                const F scale = set1_f16(block);
                F w[heads];
                TINYLLM_UNROLL
                for (int h = 0; h < heads; ++h) w[h] = mul(set1(weights[h * kRowPositions + j]), scale);
                TINYLLM_UNROLL
                for (int i = 0; i < kBlockParts; ++i) {
                    const F v = block_part<type>(block, i);
                    TINYLLM_UNROLL
                    for (int h = 0; h < heads; ++h)
                        acc[h][b * kBlockParts + i] = fma(w[h], v, acc[h][b * kBlockParts + i]);
                }
            }
        } else {
            F v[vectors];
            TINYLLM_UNROLL
            for (int i = 0; i < vectors; ++i) v[i] = weight<type>(row, d + i * kLanes);
            TINYLLM_UNROLL
            for (int h = 0; h < heads; ++h) {
                const F w = set1(weights[h * kRowPositions + j]);
                TINYLLM_UNROLL
                for (int i = 0; i < vectors; ++i) acc[h][i] = fma(w, v[i], acc[h][i]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int h = 0; h < heads; ++h) {
        TINYLLM_UNROLL
        for (int i = 0; i < vectors; ++i) store(out + h * ld + d + i * kLanes, acc[h][i]);
    }
}

template <int type, int heads>
void row_mix(const StoredRows& values, const float* weights, int first, int last, float* out, int64_t ld) {
    int64_t d = 0;
    if constexpr (type == kQ8_0 || type == kQ4_0) {
        for (; d < values.width; d += kBlock)
            mix_columns<type, heads, kBlockParts>(values, weights, first, last, d, out, ld);
    } else {
        constexpr int kVectors = heads * kMixVectors <= kSums ? kMixVectors : kMixVectors / 2;
        for (; d + kVectors * kLanes <= values.width; d += kVectors * kLanes)
            mix_columns<type, heads, kVectors>(values, weights, first, last, d, out, ld);
        for (; d < values.width; d += kLanes)
            mix_columns<type, heads, 1>(values, weights, first, last, d, out, ld);
    }
}

/// f(type, heads) as constants, for each few of a group's heads in turn: f is called with the first of them.
template <typename Call>
TINYLLM_INLINE void for_row_heads(int columns, const Call& call) {
    int h = 0;
    for (; h + kRowHeads <= columns; h += kRowHeads) call.template operator()<kRowHeads>(h);
    if (columns - h == 1) call.template operator()<1>(h);
    if (columns - h == 2) call.template operator()<2>(h);
    if (columns - h == 3) call.template operator()<3>(h);
    static_assert(kRowHeads == 4);
}

/// Rows that the loops above can read as they are stored.
TINYLLM_INLINE bool whole_vectors(int type, int64_t width) {
    return type != kBF16 && width % kLanes == 0;
}

/// The rows [first, last) of a block as the loops take them: as they are, or as floats in `floats`.
TINYLLM_INLINE StoredRows readable(const AttendRow* a, int* type, const uint8_t* rows, int first, int last,
                                   float* floats) {
    const int64_t bytes = cache_row_bytes(*type, a->head_dim);
    if (whole_vectors(*type, a->head_dim)) return {rows, bytes, a->head_dim, nullptr, 0};
    load_rows(*type, rows + first * bytes, a->head_dim, last - first, floats + first * a->ld, a->ld);
    *type = kF32;
    return {reinterpret_cast<const uint8_t*>(floats), 4 * a->ld, a->ld, nullptr, 0};
}

/// f(type) as a constant, of the types that readable() leaves.
template <typename Call>
TINYLLM_INLINE void with_row_type(int type, const Call& call) {
    switch (type) {
        case kF32:
            call.template operator()<kF32>();
            break;
        case kF16:
            call.template operator()<kF16>();
            break;
        case kQ8_0:
            call.template operator()<kQ8_0>();
            break;
        default:
            call.template operator()<kQ4_0>();
    }
}

template <int type>
TINYLLM_INLINE void scores_of(const AttendRow* a, StoredRows keys, int first, int last, float* scores) {
    for_row_heads(a->columns, [&]<int heads>(int h) {
        row_scores<type, heads>(keys, a->q + h * a->ld, a->ld, first, last, scores + h * kRowPositions);
        keys.next = nullptr;  // asked for once
    });
}

template <int type>
TINYLLM_INLINE void mix_of(const AttendRow* a, StoredRows values, const float* weights, int first, int last) {
    for_row_heads(a->columns, [&]<int heads>(int h) {
        row_mix<type, heads>(values, weights + h * kRowPositions, first, last, a->out + h * a->ld, a->ld);
        values.next = nullptr;
    });
}

/// scores (kRowPositions) of head c become weights, [first, last) being those that count.
TINYLLM_INLINE void soften_row(const AttendRow* a, int c, float* scores) {
    const int first = a->first;
    const int last = a->last;
    if (a->alibi) {
        for (int j = first; j < last; ++j) scores[j] += a->alibi[c] * static_cast<float>(j - a->origin);
    }
    if (a->relative) add_relative(relative_row(a, c), a->span, a->origin, first, last, scores);
    const int begin = first / kLanes * kLanes;
    const float least = -__builtin_inff();
    for (int j = begin; j < first; ++j) scores[j] = least;
    for (int j = last; j % kLanes != 0; ++j) scores[j] = least;
    F largest = set1(least);
    for (int j = begin; j < last; j += kLanes) largest = max(largest, load(scores + j));
    const float top = max_lanes(largest);
    F total = zero();
    for (int j = begin; j < last; j += kLanes) {
        // Beyond the ends this leaves 1e-38, which vanishes in a sum that the largest makes 1 or more.
        const F e = exp(sub(load(scores + j), set1(top)));
        store(scores + j, e);
        total = add(total, e);
    }
    a->top[c] = top;
    a->sum[c] = sum_lanes(total);
}

void attend_row(const AttendRow* a) {
    float* floats = a->scratch;                         // (kKvStep, ld)
    float* scores = floats + int64_t{kKvStep} * a->ld;  // (columns, kRowPositions)
    const int n_blocks = (a->last + kKvStep - 1) / kKvStep;
    const int64_t k_bytes = cache_row_bytes(a->k_type, a->head_dim);
    const int64_t v_bytes = cache_row_bytes(a->v_type, a->head_dim);
    const auto clip = [](int position, int b) {
        position -= b * kKvStep;
        return position < 0 ? 0 : position > kKvStep ? kKvStep : position;
    };
    for (int b = a->first / kKvStep; b < n_blocks; ++b) {
        const int first = clip(a->first, b) / kLanes * kLanes;
        const int last = (clip(a->last, b) + kLanes - 1) / kLanes * kLanes;
        int type = a->k_type;
        StoredRows keys = readable(a, &type, a->k[b], first, last, floats);
        keys.next = a->v[b];
        keys.next_bytes = v_bytes;
        float* to = scores + b * kKvStep;
        with_row_type(type, [&]<int stored>() { scores_of<stored>(a, keys, first, last, to); });
    }
    for (int c = 0; c < a->columns; ++c) soften_row(a, c, scores + c * kRowPositions);
    for (int b = a->first / kKvStep; b < n_blocks; ++b) {
        const int first = clip(a->first, b);
        const int last = clip(a->last, b);
        int type = a->v_type;
        StoredRows values = readable(a, &type, a->v[b], first, last, floats);
        values.next = a->k_next[b];
        values.next_bytes = k_bytes;
        const float* weights = scores + b * kKvStep;
        with_row_type(type, [&]<int stored>() { mix_of<stored>(a, values, weights, first, last); });
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
