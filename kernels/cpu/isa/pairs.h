// Products of bf16 pairs: by tiles of a matrix unit (TINYLLM_TILES names the header that wraps it), else by
// vectors. Included by sets of sixteen lanes only.
//
// Every output is one chain of additions over k, whatever the width.
#pragma once

#include "kernels/cpu/isa/softmax.h"
#ifdef TINYLLM_TILES
#include TINYLLM_TILES
#endif

namespace tinyllm::cpu::TINYLLM_ISA {

/// Each lane rounded to bf16, in the lower half of its 32 bits.
TINYLLM_INLINE I to_bf16(F x) {
#ifdef __AVX512BF16__
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
#else
    const I bits = _mm512_castps_si512(x);
    const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const I rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), nan, _mm512_set1_epi32(0x7fc0));
#endif
}

/// What rounding x to `rounded` left; nothing of infinities.
TINYLLM_INLINE F left_over(F x, I rounded) {
    const F left = sub(x, bits_to_float(shift_left<16>(rounded)));
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(left, left, _CMP_ORD_Q), left);
}

/// A step's pairs of weights: element k of each lane below element k + 1.
TINYLLM_INLINE void store_pair(F even, F odd, int terms, uint16_t* out, uint16_t* left) {
    const I a = to_bf16(even);
    const I b = to_bf16(odd);
    _mm512_storeu_si512(out, or_i(a, shift_left<16>(b)));
    if (terms == 1) return;
    _mm512_storeu_si512(left, or_i(to_bf16(left_over(even, a)), shift_left<16>(to_bf16(left_over(odd, b)))));
}

TINYLLM_INLINE void store_activations(F x, int terms, uint16_t* out, uint16_t* left) {
    const I rounded = to_bf16(x);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi32_epi16(rounded));
    if (terms == 1) return;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(left),
                        _mm512_cvtepi32_epi16(to_bf16(left_over(x, rounded))));
}

void fill_pairs(const float* x, int64_t stride, int rows, int width, int64_t cols, int terms, uint16_t* out) {
    const int64_t padded = pair_cols(cols);
    uint16_t* left = out + padded * width;
    for (int t = 0; t < width; ++t) {
        const float* row = x + t * stride;
        for (int64_t k = 0; k < padded; k += kLanes) {
            const int64_t at = (k / kPairStep * width + t) * kPairStep + k % kPairStep;
            F v = zero();
            if (t < rows && k < cols) v = load_part(row + k, cols - k, 0);
            store_activations(v, terms, out + at, left + at);
        }
    }
}

template <int type>
void unpack_plain_pairs(const uint8_t* panel, int64_t cols, int terms, uint16_t* out, uint16_t* left) {
    int64_t k = 0;
    for (; k + 1 < cols; k += 2, out += 2 * kLanes, left += 2 * kLanes) {
        store_pair(weight<type>(panel, k * kLanes), weight<type>(panel, (k + 1) * kLanes), terms, out, left);
    }
    for (; k < pair_cols(cols); k += 2, out += 2 * kLanes, left += 2 * kLanes) {
        store_pair(k < cols ? weight<type>(panel, k * kLanes) : zero(), zero(), terms, out, left);
    }
}

template <int type>
void unpack_block_pairs(const uint8_t* panel, int64_t cols, int terms, uint16_t* out, uint16_t* left) {
    static_assert(kBlock == kPairStep);
    const int64_t blocks = cols / kBlock;
    for (int64_t b = 0; b < blocks; ++b) {
        float values[kBlock * kLanes];
        unpack_block<type>(panel, blocks, b, values);
        for (int k = 0; k < kBlock; k += 2, out += 2 * kLanes, left += 2 * kLanes) {
            store_pair(load(values + k * kLanes), load(values + (k + 1) * kLanes), terms, out, left);
        }
    }
}

void unpack_pairs(const Panels* w, int64_t panel, int terms, uint16_t* out) {
    const uint8_t* data = w->data + panel * w->stride;
    uint16_t* left = out + pair_cols(w->cols) * kLanes;
    switch (w->type) {
        case kF32:
            return unpack_plain_pairs<kF32>(data, w->cols, terms, out, left);
        case kF16:
            return unpack_plain_pairs<kF16>(data, w->cols, terms, out, left);
        case kBF16:
            return unpack_plain_pairs<kBF16>(data, w->cols, terms, out, left);
        default:
            with_quantized(w->type, [&](auto form) {
                unpack_block_pairs<decltype(form)::kType>(data, w->cols, terms, out, left);
            });
    }
}

#ifdef TINYLLM_TILES

constexpr int kPairTiles[] = {16, 16, 16, 16, 32};

/// Rounded weights lose less than their own rounding to a quantized type did; what is stored in more bits
/// keeps about 16 of them.
int pair_terms(int type) {
    return type == kF32 || type == kF16 ? 3 : 1;
}

/// `panels` panels of `stride` elements times `halves` times sixteen rows. Tiles 0..3 are sums, 4 and 5
/// activations, 6 and 7 weights.
template <int panels, int halves>
TINYLLM_INLINE void tile_block(const uint16_t* w, int64_t stride, const uint16_t* x, int64_t cols, int terms,
                               float* out, int64_t ld) {
    constexpr int kWidth = 16 * halves;
    constexpr int kRow = kPairStep * 2;  // bytes
    const int64_t steps = cols / kPairStep;
    const int64_t w_left = cols * kLanes;
    const int64_t x_left = cols * kWidth;
    const auto load_w = [&](const uint16_t* from) {
        load_tile<6>(from, kRow);
        if constexpr (panels == 2) load_tile<7>(from + stride, kRow);
    };
    const auto load_x = [&](const uint16_t* from) {
        load_tile<4>(from, kRow);
        if constexpr (halves == 2) load_tile<5>(from + 16 * kPairStep, kRow);
    };
    const auto multiply = [&] {
        multiply_tiles<0, 4, 6>();
        if constexpr (panels == 2) multiply_tiles<1, 4, 7>();
        if constexpr (halves == 2) multiply_tiles<2, 5, 6>();
        if constexpr (panels == 2 && halves == 2) multiply_tiles<3, 5, 7>();
    };
    zero_tile<0>();
    zero_tile<1>();
    zero_tile<2>();
    zero_tile<3>();
    for (int64_t s = 0; s < steps; ++s, w += kPairStep * kLanes, x += kPairStep * kWidth) {
        load_w(w);
        load_x(x);
        multiply();
        if (terms == 1) continue;
        load_x(x + x_left);
        multiply();
        load_x(x);
        load_w(w + w_left);
        multiply();
    }
    store_tile<0>(out, ld * 4);
    if constexpr (panels == 2) store_tile<1>(out + kLanes, ld * 4);
    if constexpr (halves == 2) store_tile<2>(out + 16 * ld, ld * 4);
    if constexpr (panels == 2 && halves == 2) store_tile<3>(out + 16 * ld + kLanes, ld * 4);
}

template <int halves>
void tile_panels(const uint16_t* w, int n_panels, const uint16_t* x, int64_t cols, int terms, float* out,
                 int64_t ld) {
    const int64_t stride = pair_parts(terms) * cols * kLanes;
    int p = 0;
    for (; p + 2 <= n_panels; p += 2)
        tile_block<2, halves>(w + p * stride, stride, x, cols, terms, out + p * kLanes, ld);
    if (p < n_panels) tile_block<1, halves>(w + p * stride, stride, x, cols, terms, out + p * kLanes, ld);
}

void pair_product(const uint16_t* w, int n_panels, const uint16_t* x, int width, int64_t cols, int terms,
                  float* out, int64_t ld) {
    configure_tiles();
    if (width == 16) {
        tile_panels<1>(w, n_panels, x, pair_cols(cols), terms, out, ld);
    } else {
        tile_panels<2>(w, n_panels, x, pair_cols(cols), terms, out, ld);
    }
    release_tiles();
}

/// Sixteen vectors of sixteen dwords, rows for columns: four rounds of "interleave two".
TINYLLM_INLINE void transpose(I* v) {
    I a[16];
    for (int i = 0; i < 8; ++i) {
        a[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    I b[16];  // b[4 g + c]: in each quarter of lanes, column c of it, of rows 4 g..4 g + 3
    for (int g = 0; g < 4; ++g) {
        b[4 * g] = _mm512_unpacklo_epi64(a[4 * g], a[4 * g + 2]);
        b[4 * g + 1] = _mm512_unpackhi_epi64(a[4 * g], a[4 * g + 2]);
        b[4 * g + 2] = _mm512_unpacklo_epi64(a[4 * g + 1], a[4 * g + 3]);
        b[4 * g + 3] = _mm512_unpackhi_epi64(a[4 * g + 1], a[4 * g + 3]);
    }
    for (int c = 0; c < 4; ++c) {
        const I even = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88);  // quarters 0 and 2 of rows 0..7
        const I odd = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xdd);
        const I even_high = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88);
        const I odd_high = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xdd);
        v[c] = _mm512_shuffle_i32x4(even, even_high, 0x88);
        v[4 + c] = _mm512_shuffle_i32x4(odd, odd_high, 0x88);
        v[8 + c] = _mm512_shuffle_i32x4(even, even_high, 0xdd);
        v[12 + c] = _mm512_shuffle_i32x4(odd, odd_high, 0xdd);
    }
}

static_assert(kPairQueries == kPairTiles[kMaxTiles - 1]);

/// Keys of sixteen positions from `first` on as a panel of pairs over the elements of a head; zero beyond the
/// block's positions. `row`: scratch, (pair_cols(head_dim)).
TINYLLM_INLINE void load_keys(const AttendTile* a, int first, float* row, uint16_t* out) {
    const int64_t cols = pair_cols(a->head_dim);
    const int64_t bytes = cache_row_bytes(a->k_type, a->head_dim);
    uint16_t* left = out + cols * kLanes;
    for (int64_t k = a->head_dim; k < cols; ++k) row[k] = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
        const int j = first + lane;
        if (j < a->n_positions) {
            load_row(a->k_type, a->k + j * bytes, row, a->head_dim);
        } else {
            __builtin_memset(row, 0, static_cast<size_t>(a->head_dim) * sizeof(float));
        }
        // One position's row behind another's, step by step; then rows become columns.
        for (int64_t k = 0; k < cols; k += kLanes) {
            const int64_t at = (k / kPairStep * kLanes + lane) * kPairStep + k % kPairStep;
            store_activations(load(row + k), kAttendTerms, out + at, left + at);
        }
    }
    for (int64_t k = 0; k < pair_parts(kAttendTerms) * cols; k += kPairStep, out += kPairStep * kLanes) {
        I v[kLanes];
        for (int i = 0; i < kLanes; ++i) v[i] = load_i(out + i * kPairStep);
        transpose(v);
        for (int i = 0; i < kLanes; ++i) _mm512_storeu_si512(out + i * kPairStep, v[i]);
    }
}

/// The block's values as panels of pairs over its positions. `rows`: scratch, (2, ld).
TINYLLM_INLINE void load_value_panels(const AttendTile* a, float* rows, uint16_t* out) {
    constexpr int64_t kPanel = int64_t{pair_parts(kAttendTerms)} * kKvStep * kLanes;
    const int64_t bytes = cache_row_bytes(a->v_type, a->head_dim);
    for (int j = 0; j < kKvStep; j += 2) {
        load_values(a, a->v, a->v_type, bytes, j, 2, rows);
        uint16_t* to = out + j * kLanes;
        for (int64_t d = 0; d < a->ld; d += kLanes, to += kPanel)
            store_pair(load(rows + d), load(rows + a->ld + d), kAttendTerms, to, to + kKvStep * kLanes);
    }
}

/// attend_step by products of pairs. The queries are tiles of pairs.
void attend_pairs(const AttendTile* a) {
    const int64_t cols = pair_cols(a->head_dim);
    const int n_panels = static_cast<int>(a->ld / kLanes);
    auto* keys = reinterpret_cast<uint16_t*>(a->scratch);
    uint16_t* values = keys + pair_parts(kAttendTerms) * cols * kKvStep;
    uint16_t* weights = values + pair_parts(kAttendTerms) * a->ld * kKvStep;
    auto* scores = reinterpret_cast<float*>(weights + pair_parts(kAttendTerms) * kPairQueries * kKvStep);
    float* mixed = scores + kPairQueries * kKvStep;
    for (int j = 0; j < kKvStep; j += kLanes)
        load_keys(a, j, mixed, keys + pair_parts(kAttendTerms) * cols * j);
    load_value_panels(a, mixed, values);
    for (int column = 0; column < a->columns;) {
        const int n = a->columns - column < kPairQueries ? a->columns - column : kPairQueries;
        const int width = n <= kPairTiles[0] ? kPairTiles[0] : kPairQueries;
        pair_product(keys, kKvStep / kLanes, a->q_pairs + column * pair_parts(kAttendTerms) * cols, width,
                     a->head_dim, kAttendTerms, scores, kKvStep);
        float factors[kPairQueries];
        for (int t = 0; t < n; ++t) factors[t] = soften(a, column + t, scores + t * kKvStep);
        fill_pairs(scores, kKvStep, n, width, kKvStep, kAttendTerms, weights);
        pair_product(values, n_panels, weights, width, kKvStep, kAttendTerms, mixed, a->ld);
        for (int t = 0; t < n; ++t) {
            float* out = a->out + (column + t) * a->ld;
            for (int64_t d = 0; d < a->ld; d += kLanes)
                store(out + d, fma(load(out + d), set1(factors[t]), load(mixed + t * a->ld + d)));
        }
        column += n;
    }
}

#else

constexpr auto& kPairTiles = kTileSizes;

/// A product of pairs does twice the work of an f32 one: weights that are bf16 anyway gain, others would need
/// three terms.
int pair_terms(int type) {
    return type == kBF16 ? 1 : 0;
}

template <int panels, int width>
TINYLLM_INLINE void vector_block(const uint16_t* w, int64_t stride, const uint16_t* x, int64_t cols,
                                 float* out, int64_t ld) {
    F acc[panels][width];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) {
        TINYLLM_UNROLL
        for (int t = 0; t < width; ++t) acc[p][t] = zero();
    }
    for (int64_t k = 0; k < cols; k += kPairStep, x += kPairStep * width) {
        TINYLLM_UNROLL
        for (int j = 0; j < kPairStep; j += 2) {
            __m512bh v[panels];
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) v[p] = (__m512bh)load_i(w + p * stride + (k + j) * kLanes);
            TINYLLM_UNROLL
            for (int t = 0; t < width; ++t) {
                int32_t pair;
                __builtin_memcpy(&pair, x + t * kPairStep + j, 4);
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p)
                    acc[p][t] = _mm512_dpbf16_ps(acc[p][t], v[p], (__m512bh)_mm512_set1_epi32(pair));
            }
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < width; ++t) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(out + t * ld + p * kLanes, acc[p][t]);
    }
}

template <int width>
void vector_panels(const uint16_t* w, int n_panels, const uint16_t* x, int64_t cols, float* out, int64_t ld) {
    const int64_t stride = cols * kLanes;
    int p = 0;
    for (; p + 2 <= n_panels; p += 2)
        vector_block<2, width>(w + p * stride, stride, x, cols, out + p * kLanes, ld);
    if (p < n_panels) vector_block<1, width>(w + p * stride, stride, x, cols, out + p * kLanes, ld);
}

void pair_product(const uint16_t* w, int n_panels, const uint16_t* x, int width, int64_t cols, int,
                  float* out, int64_t ld) {
    cols = pair_cols(cols);
    if (width == kTileSizes[0]) {
        vector_panels<kTileSizes[0]>(w, n_panels, x, cols, out, ld);
    } else if (width == kTileSizes[1]) {
        vector_panels<kTileSizes[1]>(w, n_panels, x, cols, out, ld);
    } else if (width == kTileSizes[2]) {
        vector_panels<kTileSizes[2]>(w, n_panels, x, cols, out, ld);
    } else if (width == kTileSizes[3]) {
        vector_panels<kTileSizes[3]>(w, n_panels, x, cols, out, ld);
    } else {
        vector_panels<kTileSizes[4]>(w, n_panels, x, cols, out, ld);
    }
}

#endif

extern const PairKernels kPairKernels;
const PairKernels kPairKernels = {
    {kPairTiles[0], kPairTiles[1], kPairTiles[2], kPairTiles[3], kPairTiles[4]},
    kQ8Offset,
    pair_terms,
    fill_pairs,
    unpack_pairs,
    pair_product,
#ifdef TINYLLM_TILES
    attend_pairs,
#else
    nullptr,  // three terms cost vectors more than f32 does
#endif
};

}  // namespace tinyllm::cpu::TINYLLM_ISA
