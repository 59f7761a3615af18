// What the forms of attention share: biases by distance, cached rows as floats, and one query's scores that
// become weights.
#pragma once

#include "kernels/cpu/isa/rows.h"

namespace tinyllm::cpu::TINYLLM_ISA {

/// Adds a bias by distance to the scores [first, last) of a query at `origin`: middle[-span] for what is
/// further away than that before it, middle[span] behind it. `step`: from one score to the next; `unit`: what
/// a bias of 1 is in scores.
TINYLLM_INLINE void add_relative(const float* middle, int span, int origin, int first, int last,
                                 float* scores, int step = 1, float unit = 1) {
    int begin = origin - span;  // positions [begin, end) are within the span
    int end = origin + span + 1;
    begin = begin < first ? first : begin > last ? last : begin;
    end = end < begin ? begin : end > last ? last : end;
    for (int j = first; j < begin; ++j) scores[j * step] += unit * middle[-span];
    for (int j = begin; j < end; ++j) scores[j * step] += unit * middle[j - origin];
    for (int j = end; j < last; ++j) scores[j * step] += unit * middle[span];
}

/// The middle of head h's row of the bias by distance.
template <typename Query>
TINYLLM_INLINE const float* relative_row(const Query* a, int h) {
    return a->relative + int64_t{h} * (2 * a->span + 1) + a->span;
}

/// scores (kKvStep) of column c become weights, zero outside [first, last); returns the factor for what was
/// mixed before.
TINYLLM_INLINE float soften(const AttendTile* a, int c, float* scores) {
    const int first = a->first[c];
    const int last = a->last[c];
    if (a->alibi) {
        for (int j = first; j < last; ++j) scores[j] += a->alibi[c] * static_cast<float>(j - a->origin[c]);
    }
    if (a->relative && first < last)
        add_relative(relative_row(a, c % a->group), a->span, a->origin[c], first, last, scores);
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

/// `count` cached rows as f32 (count, ld), zero beyond the head's width.
TINYLLM_INLINE void load_rows(int type, const uint8_t* rows, int64_t head_dim, int count, float* to,
                              int64_t ld) {
    const int64_t bytes = cache_row_bytes(type, head_dim);
    for (int j = 0; j < count; ++j, rows += bytes, to += ld) {
        load_row(type, rows, to, head_dim);
        for (int64_t d = head_dim; d < ld; ++d) to[d] = 0;
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
