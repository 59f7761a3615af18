// What both forms of attention share: scores that become weights, cached rows as floats.
#pragma once

#include "kernels/cpu/isa/rows.h"

namespace tinyllm::cpu::TINYLLM_ISA {

/// Adds column c's bias by distance to the scores [first, last): one value before -span, one behind span.
TINYLLM_INLINE void add_relative(const AttendTile* a, int c, int first, int last, float* scores) {
    const int origin = a->origin[c];
    const float* middle = a->relative + int64_t{c % a->group} * (2 * a->span + 1) + a->span;
    int begin = origin - a->span;  // positions [begin, end) are within the span
    int end = origin + a->span + 1;
    begin = begin < first ? first : begin > last ? last : begin;
    end = end < begin ? begin : end > last ? last : end;
    for (int j = first; j < begin; ++j) scores[j] += middle[-a->span];
    for (int j = begin; j < end; ++j) scores[j] += middle[j - origin];
    for (int j = end; j < last; ++j) scores[j] += middle[a->span];
}

/// scores (kKvStep) of column c become weights, zero outside [first, last); returns the factor for what was
/// mixed before.
TINYLLM_INLINE float soften(const AttendTile* a, int c, float* scores) {
    const int first = a->first[c];
    const int last = a->last[c];
    if (a->alibi) {
        for (int j = first; j < last; ++j) scores[j] += a->alibi[c] * static_cast<float>(j - a->origin[c]);
    }
    if (a->relative && first < last) add_relative(a, c, first, last, scores);
    const float least = -__builtin_inff();
    for (int j = 0; j < first; ++j) scores[j] = least;
    for (int j = last; j < kKvStep; ++j) scores[j] = least;
    if (first >= last) {
        for (int j = 0; j < kKvStep; ++j) scores[j] = 0;
        return 1;
    }
    F largest = set1(a->top[c]);
    for (int j = 0; j < kKvStep; j += kLanes) largest = max(largest, load(scores + j));
    const float top = max_lanes(largest);
    F total = zero();
    for (int j = 0; j < kKvStep; j += kLanes) {
        F e = exp(sub(load(scores + j), set1(top)));
        if (j < first || j + kLanes > last) {  // exactly nothing where nothing is seen
            float part[kLanes];
            store(part, e);
            for (int i = 0; i < kLanes; ++i) {
                if (j + i < first || j + i >= last) part[i] = 0;
            }
            e = load(part);
        }
        store(scores + j, e);
        total = add(total, e);
    }
    const float factor = a->top[c] == least ? 0.0f : exp1(a->top[c] - top);
    a->top[c] = top;
    a->sum[c] = a->sum[c] * factor + sum_lanes(total);
    return factor;
}

/// Values as f32 (kKvStep, ld), zero beyond the block's positions and the head's width.
TINYLLM_INLINE void load_values(const AttendTile* a, const uint8_t* rows, int type, int64_t row_bytes,
                                int begin, int count, float* to) {
    for (int j = begin; j < begin + count; ++j, to += a->ld) {
        int64_t d = 0;
        if (j < a->n_positions) {
            load_row(type, rows + j * row_bytes, to, a->head_dim);
            d = a->head_dim;
        }
        for (; d < a->ld; ++d) to[d] = 0;
    }
}

TINYLLM_INLINE int64_t cache_row_bytes(int type, int64_t n) {
    return type == kF32    ? n * 4
           : type == kQ8_0 ? n / kBlock * kStoredBlock<kQ8_0>
           : type == kQ4_0 ? n / kBlock * kStoredBlock<kQ4_0>
                           : n * 2;
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
