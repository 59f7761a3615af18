// The inner product by an instruction that multiplies a 2x8 matrix of bytes by another (Arm's smmla): two
// rows of weights times two tokens. Sums are the same bits as those of int_block: integers are exact and the
// order of the operations on floats is the same for each output, only its lane differs.
//
// Weights lie four bytes a row, so that vectors of neighbouring steps are interleaved to eight bytes a row as
// they are read, once for all tokens. Activations of tiles of an even width are written as pairs of tokens,
// eight bytes of each in turn.
#pragma once

#include "kernels/cpu/isa/forms.h"

namespace tinyllm::cpu::TINYLLM_ISA {

/// Whether a tile's activations are pairs.
constexpr bool in_pairs(int width) {
    return kPairs && width % 2 == 0;
}

/// Where element i of a column of a block lies, from the block of the tile's first column.
TINYLLM_INLINE int64_t element_at(int column, int width, int i) {
    if (!in_pairs(width)) return int64_t{column} * kBlock + i;
    return int64_t{column / 2} * 2 * kBlock + i / 8 * 16 + column % 2 * 8 + i % 8;
}

/// Where the scale of a column of block b lies; in a tile of pairs again two behind.
TINYLLM_INLINE int64_t scale_at(int64_t b, int column, int width) {
    if (!in_pairs(width)) return b * width + column;
    return 2 * b * width + column / 2 * 4 + column % 2;
}

#if defined(__ARM_FEATURE_MATMUL_INT8)
/// Elements 8 m..8 m + 7 of every row.
template <int type>
TINYLLM_INLINE Rows pair_of(const uint8_t* block, int m) {
    constexpr bool kTable = type == kIQ4_NL || type == kT4_64;
    if constexpr (type == kQ4_0 || type == kQ4_1 || kTable) {
        // Interleaved before they are split: once for both nibbles.
        const uint8_t* raw = block + 2 * (m & 1) * kLanes * 4;
        const Rows rows = interleave(load_i(raw), load_i(raw + kLanes * 4));
        const I low = set1_i(0x0f0f0f0f);
        if constexpr (type == kQ4_0) {
            return m < 2 ? Rows{low_nibbles_up(rows.first), low_nibbles_up(rows.second)}
                         : Rows{high_nibbles_up(rows.first), high_nibbles_up(rows.second)};
        }
        const Rows v = m < 2 ? Rows{and_i(rows.first, low), and_i(rows.second, low)}
                             : Rows{high_nibbles(rows.first), high_nibbles(rows.second)};
        if constexpr (kTable) return {Form<type>::spread(v.first), Form<type>::spread(v.second)};
        return v;
    } else {
        return interleave(Form<type>::bytes(block, 2 * m), Form<type>::bytes(block, 2 * m + 1));
    }
}

/// Offsets of tokens 2 u and 2 u + 1 for one of the `parts` that each has, which lie in turn.
template <int parts>
TINYLLM_INLINE I offsets_of(const int32_t* offsets, int u, int part) {
    if constexpr (parts == 1) {
        return load_two(offsets + 2 * u);
    } else {
        const I four = load_i(offsets + 4 * u);
        const Rows both = alternate(four, four);
        return part == 0 ? both.first : both.second;
    }
}

/// See int_block.
template <int type, int tile, int width>
TINYLLM_INLINE void int_pairs(const uint8_t* w, int64_t blocks, IntTile x, float* out, int64_t ld) {
    typedef Form<type> W;
    static_assert(tile % 2 == 0 && width % 2 == 0);
    constexpr bool kOffset = W::kOffset != 0;
    constexpr int kParts = W::kHalves ? 2 : 1;
    constexpr int kCount = tile / 2;
    static_assert(2 * kCount <= kMostSums);
    const int64_t scales = scale_bytes<type>(blocks);
    F acc[kCount][2];  // of rows 0, 1 and 2, 3
    TINYLLM_UNROLL
    for (int u = 0; u < kCount; ++u) acc[u][0] = acc[u][1] = zero();
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t at = b * width;
        const int8_t* q = x.q + at * kBlock;
        TINYLLM_UNROLL
        for (int part = 0; part < kParts; ++part) {
            const int32_t* offsets = W::offsets(x) + at * kParts;
            const int32_t* starts = kOffset ? nullptr : sum_starts<kShift<type>>();
            I dot[kCount][2];
            TINYLLM_UNROLL
            for (int u = 0; u < kCount; ++u) {
                if constexpr (kOffset) {
                    dot[u][0] = dot[u][1] = offsets_of<kParts>(offsets, u, part);
                } else {
                    dot[u][0] = load_i(starts + 2 * u * kLanes);
                    dot[u][1] = load_i(starts + (2 * u + 1) * kLanes);
                }
            }
            TINYLLM_UNROLL
            for (int m = part * 4 / kParts; m < (part + 1) * 4 / kParts; ++m) {
                const Rows v = pair_of<type>(w + scales + b * W::kBytes * kLanes, m);
                TINYLLM_UNROLL
                for (int u = 0; u < kCount; ++u) {
                    const I pair = load_i(q + u * 2 * kBlock + m * 16);
                    dot[u][0] = multiply_pairs(dot[u][0], v.first, pair);
                    dot[u][1] = multiply_pairs(dot[u][1], v.second, pair);
                }
            }
            const I d = float_to_bits(block_scale<type>(w, b, part));
            const Rows rows = interleave(d, d);
            TINYLLM_UNROLL
            for (int u = 0; u < kCount; ++u) {
                const F scale = load(x.scales + 2 * at + 4 * u);
                acc[u][0] = fma(mul(sum_to_float<kShift<type>>(dot[u][0]), bits_to_float(rows.first)), scale,
                                acc[u][0]);
                acc[u][1] = fma(mul(sum_to_float<kShift<type>>(dot[u][1]), bits_to_float(rows.second)), scale,
                                acc[u][1]);
            }
        }
        if constexpr (W::kMinimum) {
            const I m = float_to_bits(block_scale<type>(w, b, 1));
            const Rows rows = interleave(m, m);
            TINYLLM_UNROLL
            for (int u = 0; u < kCount; ++u) {
                const F sums = load(x.sums + 2 * at + 4 * u);
                acc[u][0] = fma(bits_to_float(rows.first), sums, acc[u][0]);
                acc[u][1] = fma(bits_to_float(rows.second), sums, acc[u][1]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int u = 0; u < kCount; ++u) {
        const Rows tokens = alternate(float_to_bits(acc[u][0]), float_to_bits(acc[u][1]));
        store(out + 2 * u * ld, bits_to_float(tokens.first));
        store(out + (2 * u + 1) * ld, bits_to_float(tokens.second));
    }
}
#else
template <int type, int tile, int width>
void int_pairs(const uint8_t* w, int64_t blocks, IntTile x, float* out, int64_t ld);
#endif

}  // namespace tinyllm::cpu::TINYLLM_ISA
