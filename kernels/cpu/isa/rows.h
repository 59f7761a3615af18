// Work on single rows: norms, activations in and out of tiles, rope, softmax parts, cache rows. Any length;
// the tail of a row goes through a padded vector.
#pragma once

#include "kernels/cpu/isa/math.h"
#include "kernels/cpu/isa/tiles.h"

namespace tinyllm::cpu::TINYLLM_ISA {

TINYLLM_INLINE F load_part(const float* p, int64_t n, float fill) {
    if (n >= kLanes) return load(p);
    float padded[kLanes];
    for (int i = 0; i < kLanes; ++i) padded[i] = i < n ? p[i] : fill;
    return load(padded);
}

TINYLLM_INLINE void store_part(float* p, int64_t n, F x) {
    if (n >= kLanes) return store(p, x);
    float padded[kLanes];
    store(padded, x);
    for (int i = 0; i < n; ++i) p[i] = padded[i];
}

void norm_row(int kind, float eps, const float* w, const float* bias, const float* x, int64_t dim,
              float* out) {
    if (kind == kNoNorm) {
        if (out != x) __builtin_memmove(out, x, static_cast<size_t>(dim) * sizeof(float));
        return;
    }
    float mean = 0;
    if (kind == kLayerNorm) {
        F sum = zero();
        for (int64_t i = 0; i < dim; i += kLanes) sum = add(sum, load_part(x + i, dim - i, 0));
        mean = sum_lanes(sum) / static_cast<float>(dim);
    }
    const F center = set1(mean);
    F squares = zero();
    for (int64_t i = 0; i < dim; i += kLanes) {
        const F y = sub(load_part(x + i, dim - i, mean), center);
        squares = fma(y, y, squares);
    }
    const F scale = set1(1.0f / __builtin_sqrtf(sum_lanes(squares) / static_cast<float>(dim) + eps));
    for (int64_t i = 0; i < dim; i += kLanes) {
        F y = mul(mul(sub(load_part(x + i, dim - i, 0), center), scale), load_part(w + i, dim - i, 0));
        if (bias) y = add(y, load_part(bias + i, dim - i, 0));
        store_part(out + i, dim - i, y);
    }
}

void fill_tile(const float* x, int64_t stride, int rows, int tile, int64_t cols, float* out) {
    constexpr int64_t kSome = 64;  // columns of x whose part of the tile stays in the nearest cache
    for (int64_t begin = 0; begin < cols; begin += kSome) {
        const int64_t end = begin + kSome < cols ? begin + kSome : cols;
        for (int t = 0; t < tile; ++t) {
            const float* row = x + t * stride;
            if (t < rows) {
                for (int64_t k = begin; k < end; ++k) out[k * tile + t] = row[k];
            } else {
                for (int64_t k = begin; k < end; ++k) out[k * tile + t] = 0;
            }
        }
    }
}

/// `first`, `second`: sums of the elements of each half of the block.
TINYLLM_INLINE void put_sums(IntTile out, int64_t b, int column, int tile, float scale, int32_t first,
                             int32_t second) {
    const int32_t total = first + second;
    const float sum = scale * static_cast<float>(total);
    const int64_t scaled = scale_at(b, column, tile);
    out.scales[scaled] = scale;
    out.sums[scaled] = sum;
    if (in_pairs(tile)) {
        out.scales[scaled + 2] = scale;
        out.sums[scaled + 2] = sum;
    }
    const int64_t at = b * tile + column;
    out.offsets_q8[at] = kSumStart + total * -kQ8Offset;
    out.offsets_q4[at] = kSumStart + total * -8;
    out.offsets_q5[at] = kSumStart + total * -16;
    out.offsets_q6[2 * at] = kSumStart + first * -32;
    out.offsets_q6[2 * at + 1] = kSumStart + second * -32;
}

void fill_int_tile(const float* x, int column, int tile, int64_t cols, IntTile out) {
    for (int64_t b = 0; b < cols / kBlock; ++b) {
        int8_t* q = out.q + b * tile * kBlock;
        const auto clear = [&] {
            for (int i = 0; i < kBlock; i += kLanes)
                __builtin_memset(q + element_at(column, tile, i), 0, kLanes);
        };
        if (!x) {
            clear();
            put_sums(out, b, column, tile, 0, 0, 0);
            continue;
        }
        const float* from = x + b * kBlock;
        F top = zero();
        F bad = zero();  // NaN where x is NaN or infinite: the scale then is NaN too
        for (int i = 0; i < kBlock; i += kLanes) {
            const F v = load(from + i);
            top = max(top, abs(v));
            bad = fma(v, zero(), bad);
        }
        const float poison = sum_lanes(bad);
        if (poison != poison) {
            clear();
            put_sums(out, b, column, tile, poison, 0, 0);
            continue;
        }
        const float largest = max_lanes(top);
        const F inverse = set1(largest > 1e-30f ? 127.0f / largest : 0.0f);
        I halves[2] = {set1_i(0), set1_i(0)};
        TINYLLM_UNROLL
        for (int i = 0; i < kBlock; i += kLanes) {
            const I v = round_to_int(mul(load(from + i), inverse));
            halves[2 * i / kBlock] = add_i(halves[2 * i / kBlock], v);
            store_s8(q + element_at(column, tile, i), v);
        }
        put_sums(out, b, column, tile, largest / 127.0f, sum_lanes_i(halves[0]), sum_lanes_i(halves[1]));
    }
}

void finish_linear(const float* y, const float* bias, int activation, int accumulate, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += kLanes) {
        F v = load_part(y + i, n - i, 0);
        if (bias) v = add(v, load_part(bias + i, n - i, 0));
        v = activate(activation, v);
        if (accumulate) v = add(load_part(out + i, n - i, 0), v);
        store_part(out + i, n - i, v);
    }
}

void finish_glu(const float* gate, const float* up, const float* gate_bias, const float* up_bias,
                int activation, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += kLanes) {
        F g = load_part(gate + i, n - i, 0);
        F u = load_part(up + i, n - i, 0);
        if (gate_bias) {
            g = add(g, load_part(gate_bias + i, n - i, 0));
            u = add(u, load_part(up_bias + i, n - i, 0));
        }
        store_part(out + i, n - i, mul(activate(activation, g), u));
    }
}

void finish_logits(const float* y, const float* bias, float scale, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += kLanes) {
        F v = load_part(y + i, n - i, 0);
        if (bias) v = add(v, load_part(bias + i, n - i, 0));
        store_part(out + i, n - i, mul(v, set1(scale)));
    }
}

/// The first of n numbers that is `top`, their largest; 0 where none is (NaN).
TINYLLM_INLINE int64_t index_of(const float* y, int64_t n, float top) {
    constexpr int64_t kSome = 4 * kLanes;
    for (int64_t i = 0; i < n; i += kSome) {
        const int64_t end = i + kSome < n ? i + kSome : n;
        F largest = set1(-__builtin_inff());
        for (int64_t j = i; j < end; j += kLanes) largest = max(largest, load_part(y + j, end - j, y[i]));
        if (max_lanes(largest) != top) continue;
        for (int64_t j = i; j < end; ++j) {
            if (y[j] == top) return j;
        }
    }
    return 0;
}

void softmax_partial(const float* y, int64_t n, float* top, int64_t* index, double* sum) {
    const float least = -__builtin_inff();
    F largest = set1(least);
    for (int64_t i = 0; i < n; i += kLanes) largest = max(largest, load_part(y + i, n - i, least));
    *top = max_lanes(largest);
    *index = index_of(y, n, *top);
    F total = zero();
    for (int64_t i = 0; i < n; i += kLanes)
        total = add(total, exp(sub(load_part(y + i, n - i, least), set1(*top))));
    *sum = static_cast<double>(sum_lanes(total));
}

void rotate(float* head, int dims, const float* cos, const float* sin) {
    const int half = dims / 2;
    for (int i = 0; i < half; i += kLanes) {
        const int n = half - i;
        const F a = load_part(head + i, n, 0);
        const F b = load_part(head + half + i, n, 0);
        const F c = load_part(cos + i, n, 0);
        const F s = load_part(sin + i, n, 0);
        store_part(head + i, n, sub(mul(a, c), mul(b, s)));
        store_part(head + half + i, n, add(mul(b, c), mul(a, s)));
    }
}

TINYLLM_INLINE float one_f32(int type, const uint8_t* from, int64_t i) {
    if (type == kF32) return reinterpret_cast<const float*>(from)[i];
    uint16_t padded[kLanes] = {reinterpret_cast<const uint16_t*>(from)[i]};
    float out[kLanes];
    store(out, type == kF16 ? load_f16(padded) : load_bf16(padded));
    return out[0];
}

constexpr int kBlockParts = kBlock / kLanes;  // vectors that hold a quantized block

template <int type>
constexpr int64_t kStoredBlock = type == kQ8_0 ? 34 : 18;  // bytes: a half, then the elements

/// Vector `part` of a stored block, before its scale: whole numbers.
template <int type>
TINYLLM_INLINE F block_part(const uint8_t* block, int part) {
    const uint8_t* q = block + 2;
    if constexpr (type == kQ8_0) {
        return load_s8(reinterpret_cast<const int8_t*>(q) + part * kLanes);
    } else {
        constexpr int kHalf = kBlockParts / 2;  // the low nibbles come first
        const I bytes = load_u8(q + part % kHalf * kLanes);
        const I nibbles = part < kHalf ? and_i(bytes, set1_i(15)) : shift_right<4>(bytes);
        return to_float(sub_i(nibbles, set1_i(8)));
    }
}

template <int type>
TINYLLM_INLINE void load_blocks(const uint8_t* from, float* to, int64_t n) {
    for (int64_t b = 0; b < n / kBlock; ++b, from += kStoredBlock<type>, to += kBlock) {
        const F d = set1_f16(from);
        TINYLLM_UNROLL
        for (int i = 0; i < kBlockParts; ++i) store(to + i * kLanes, mul(block_part<type>(from, i), d));
    }
}

void load_row(int type, const uint8_t* from, float* to, int64_t n) {
    if (type == kQ8_0) return load_blocks<kQ8_0>(from, to, n);
    if (type == kQ4_0) return load_blocks<kQ4_0>(from, to, n);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        store(to + i, type == kF32   ? weight<kF32>(from, i)
                      : type == kF16 ? weight<kF16>(from, i)
                                     : weight<kBF16>(from, i));
    }
    for (; i < n; ++i) to[i] = one_f32(type, from, i);
}

void store_row_f16(const float* from, uint16_t* to, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store_f16(to + i, load(from + i));
    if (i == n) return;
    uint16_t padded[kLanes];
    store_f16(padded, load_part(from + i, n - i, 0));
    __builtin_memcpy(to + i, padded, static_cast<size_t>(n - i) * 2);
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
