// How a block of 32 quantized weights lies in a panel: one struct per type, which the inner products take as
// they find it.
//   kScales   vectors of f16 per block: [the scale], [the scale, the minimum] or [the scales of its halves]
//   kBytes    bytes of one row's elements
//   kMinimum  x = scale * byte + minimum
//   kHalves   a scale of its own for each 16 elements
//   kOffset   what the bytes hold above their elements: x = scale * (byte - kOffset)
//   Product   the integer products; offsets() what takes the offset out of their sum, for the first block of
//             the activations
//   bytes()   elements 4 j..4 j + 3 of every row
#pragma once

#include "kernels/quant_blocks.h"

#if defined(__clang__)
#define TINYLLM_UNROLL _Pragma("unroll")
#else
#define TINYLLM_UNROLL _Pragma("GCC unroll 16")
#endif

namespace tinyllm::cpu::TINYLLM_ISA {

/// Where kFactorLanes the set has one for an int; this one is never called.
template <typename Index>
F fma_lane(F a, F four, Index i, F c);

/// `n` numbers that lie side by side, each to be multiplied with a vector. Where kFactorLanes four are loaded
/// at once.
template <int n>
struct Factors {
    static constexpr bool kByLane = kFactorLanes && n % 4 == 0;
    const float* from;
    F fours[kByLane ? n / 4 : 1];

    TINYLLM_INLINE explicit Factors(const float* numbers) : from(numbers) {
        if constexpr (kByLane) {
            TINYLLM_UNROLL
            for (int i = 0; i < n / 4; ++i) fours[i] = load(numbers + 4 * i);
        }
    }
    /// a times number i, plus c.
    TINYLLM_INLINE F fma_by(F a, int i, F c) const {
        if constexpr (kByLane) {
            return fma_lane(a, fours[i / 4], i % 4, c);
        } else {
            return fma(a, set1(from[i]), c);
        }
    }
};

/// Low nibbles are elements 0..15, high ones 16..31.
TINYLLM_INLINE I nibbles(const uint8_t* block, int j) {
    const I raw = load_i(block + (j & 3) * kLanes * 4);
    return j < 4 ? and_i(raw, set1_i(0x0f0f0f0f)) : high_nibbles(raw);
}

/// x << n, or >> -n.
TINYLLM_INLINE I shifted(I x, int n) {
    switch (n) {
        case 4:
            return shift_left<4>(x);
        case 3:
            return shift_left<3>(x);
        case 2:
            return shift_left<2>(x);
        case 1:
            return shift_left<1>(x);
        case -1:
            return shift_right<1>(x);
        case -2:
            return shift_right<2>(x);
        case -3:
            return shift_right<3>(x);
        case -4:
            return shift_right<4>(x);
        case -5:
            return shift_right<5>(x);
        case -6:
            return shift_right<6>(x);
        default:
            return x;
    }
}

/// Nibbles and a fifth bit: bit j of byte i of the last vector belongs to element 4 j + i.
TINYLLM_INLINE I five_bits(const uint8_t* block, int j) {
    const I high = shifted(load_i(block + 4 * kLanes * 4), 4 - j);
    return or_i(nibbles(block, j), and_i(high, set1_i(0x10101010)));
}

/// Two bits and a third: of vector j / 4, bits 2 (j % 4).. of byte i belong to element 4 j + i; of the last
/// vector, bit j.
TINYLLM_INLINE I three_bits(const uint8_t* block, int j) {
    const I low = shifted(load_i(block + j / 4 * kLanes * 4), -2 * (j & 3));
    const I high = shifted(load_i(block + 2 * kLanes * 4), 2 - j);
    return or_i(and_i(low, set1_i(0x03030303)), and_i(high, set1_i(0x04040404)));
}

template <int type>
struct Form;

template <>
struct Form<kQ8_0> {
    static constexpr int kScales = 1, kBytes = 32, kOffset = kQ8Offset;
    static constexpr bool kMinimum = false, kHalves = false;
    typedef DotQ8 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q8; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) { return load_i(block + j * kLanes * 4); }
};

/// Where kSignedNibbles, bytes are sixteen times the elements.
template <>
struct Form<kQ4_0> {
    static constexpr int kScales = 1, kBytes = 16, kOffset = kSignedNibbles ? 0 : 8;
    static constexpr bool kMinimum = false, kHalves = false;
    typedef DotQ4 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q4; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) {
#if defined(__ARM_FEATURE_DOTPROD)
        const I raw = load_i(block + (j & 3) * kLanes * 4);
        return j < 4 ? low_nibbles_up(raw) : high_nibbles_up(raw);
#else
        return nibbles(block, j);
#endif
    }
};

template <>
struct Form<kQ4_1> {
    static constexpr int kScales = 2, kBytes = 16, kOffset = 0;
    static constexpr bool kMinimum = true, kHalves = false;
    typedef DotQ4 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q4; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) { return nibbles(block, j); }
};

/// A table's levels as the products of signed weights want them.
struct Levels {
    uint8_t bytes[16] = {};
    template <int n>
    constexpr explicit Levels(const int8_t (&levels)[n]) {
        for (int i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(kQ8Offset + levels[i]);
    }
};

/// Nibbles that name levels of a table.
template <const int8_t (&levels)[16]>
struct FourBitTable {
    static constexpr int kScales = 1, kBytes = 16, kOffset = kQ8Offset;
    static constexpr bool kMinimum = false, kHalves = false;
    typedef DotQ8 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q8; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) { return spread(nibbles(block, j)); }
    static TINYLLM_INLINE I spread(I nibbles) {
        alignas(16) static constexpr Levels kLevels(levels);
        return look_up(kLevels.bytes, nibbles);
    }
};

template <>
struct Form<kIQ4_NL> : FourBitTable<kIq4Values> {};

template <>
struct Form<kT4_64> : FourBitTable<kT4Levels> {};

template <>
struct Form<kT3_64> {
    static constexpr int kScales = 1, kBytes = 12, kOffset = kQ8Offset;
    static constexpr bool kMinimum = false, kHalves = false;
    typedef DotQ8 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q8; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) {
        alignas(16) static constexpr Levels kLevels(kT3Levels);
        return look_up(kLevels.bytes, three_bits(block, j));
    }
};

template <>
struct Form<kQ5_0> {
    static constexpr int kScales = 1, kBytes = 20, kOffset = 16;
    static constexpr bool kMinimum = false, kHalves = false;
    typedef DotQ6 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q5; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) { return five_bits(block, j); }
};

template <>
struct Form<kQ5_1> {
    static constexpr int kScales = 2, kBytes = 20, kOffset = 0;
    static constexpr bool kMinimum = true, kHalves = false;
    typedef DotQ6 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q5; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) { return five_bits(block, j); }
};

/// Nibbles and two more bits: of the vector for the half, bits 2 (j % 4).. of byte i belong to element 4 j +
/// i.
template <>
struct Form<kQ6_K> {
    static constexpr int kScales = 2, kBytes = 24, kOffset = 32;
    static constexpr bool kMinimum = false, kHalves = true;
    typedef DotQ6 Product;
    static TINYLLM_INLINE const int32_t* offsets(IntTile x) { return x.offsets_q6; }
    static TINYLLM_INLINE I bytes(const uint8_t* block, int j) {
        const I high = shifted(load_i(block + (4 + j / 4) * kLanes * 4), 4 - 2 * (j & 3));
        return or_i(nibbles(block, j), and_i(high, set1_i(0x30303030)));
    }
};

constexpr int shift_of(int type) {
    return kSignedNibbles && type == kQ4_0 ? 4 : 0;
}

/// Bytes are 2^kShift times their elements.
template <int type>
constexpr int kShift = shift_of(type);

constexpr int kMostSums = 8;

/// What kMostSums sums of a block begin at where that is not zero, a vector for each. They come from memory,
/// since a load takes none of the vector units' time and a copy does: so the compiler must not see
/// that all are alike.
template <int shift>
TINYLLM_INLINE const int32_t* sum_starts() {
    struct Values {
        int32_t all[kMostSums * kLanes];
        constexpr Values() : all() {
            for (int32_t& value : all) value = kSumStart - (shift << 23);
        }
    };
    alignas(64) static constexpr Values kValues;
    const int32_t* hidden = kValues.all;
    __asm__ volatile("" : "+r"(hidden));
    return hidden;
}

/// A sum of products of bytes, which began at one of sum_starts, as products of elements. The difference is
/// exact.
template <int shift>
TINYLLM_INLINE F sum_to_float(I sum) {
    if constexpr (kSumStart == 0) {
        static_assert(shift == 0);
        return to_float(sum);
    } else {
        return sub(bits_to_float(sum), set1(12582912.0f / (1 << shift)));
    }
}

template <int type>
TINYLLM_INLINE int64_t scale_bytes(int64_t blocks) {
    return (blocks * Form<type>::kScales * kLanes * 2 + 63) / 64 * 64;
}

/// Vector `i` of the scales of block b.
template <int type>
TINYLLM_INLINE F block_scale(const uint8_t* panel, int64_t b, int i) {
    return load_f16(reinterpret_cast<const uint16_t*>(panel) + (b * Form<type>::kScales + i) * kLanes);
}

/// A type as a value.
template <int type>
struct TypeOf {
    static constexpr int kType = type;
};

/// Calls f with TypeOf<type>, a quantized type that panels have.
template <typename Function>
TINYLLM_INLINE void with_quantized(int type, const Function& f) {
    switch (type) {
        case kQ8_0:
            return f(TypeOf<kQ8_0>());
        case kQ6_K:
            return f(TypeOf<kQ6_K>());
        case kQ5_1:
            return f(TypeOf<kQ5_1>());
        case kQ5_0:
            return f(TypeOf<kQ5_0>());
        case kQ4_1:
            return f(TypeOf<kQ4_1>());
        case kQ4_0:
            return f(TypeOf<kQ4_0>());
        case kIQ4_NL:
            return f(TypeOf<kIQ4_NL>());
        case kT4_64:
            return f(TypeOf<kT4_64>());
        case kT3_64:
            return f(TypeOf<kT3_64>());
        default:
            __builtin_unreachable();  // pack_panels makes no others
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
