// The blocks in which quantized weights are stored: no padding, little-endian, f16 members are the half's
// bits. All but the last two are bit-compatible with GGUF (ggml-common.h has them under the same names).
#pragma once

#include <cstdint>

namespace tinyllm {

constexpr int kQuantBlock = 32;
constexpr int kSuperBlock = 256;

/// x[i] = d * q[i]
struct BlockQ8_0 {
    std::uint16_t d;  // f16
    std::int8_t q[kQuantBlock];
};
static_assert(sizeof(BlockQ8_0) == 34);

/// x[i] = d * ((q[i] & 15) - 8), x[i + 16] = d * ((q[i] >> 4) - 8) for i < 16
struct BlockQ4_0 {
    std::uint16_t d;  // f16
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockQ4_0) == 18);

/// x[i] = d * u[i] + m, u as the nibbles of q4_0
struct BlockQ4_1 {
    std::uint16_t d, m;  // f16
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockQ4_1) == 20);

/// x[i] = d * (u[i] - 16); the low four bits of u as the nibbles of q4_0, the fifth is bit i of `high`
struct BlockQ5_0 {
    std::uint16_t d;  // f16
    std::uint8_t high[4];
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockQ5_0) == 22);

/// x[i] = d * u[i] + m, u as in q5_0
struct BlockQ5_1 {
    std::uint16_t d, m;  // f16
    std::uint8_t high[4];
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockQ5_1) == 24);

/// x[i] = d * kIq4Values[u[i]], u as the nibbles of q4_0
struct BlockIQ4_NL {
    std::uint16_t d;  // f16
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockIQ4_NL) == 18);
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// The K types: 256 elements in sub-blocks whose scales are integers times the super-block's d. quant_k.cpp
// says where within its bytes an element's bits lie.

/// Sub-blocks of 16: x = d * (scales & 15) * u - dmin * (scales >> 4), u of 2 bits
struct BlockQ2_K {
    std::uint8_t scales[16];
    std::uint8_t q[64];
    std::uint16_t d, dmin;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84);

/// Sub-blocks of 16: x = d * (scale - 32) * (u - 4), u of 3 bits, scales of 6
struct BlockQ3_K {
    std::uint8_t high[32];
    std::uint8_t q[64];
    std::uint8_t scales[12];
    std::uint16_t d;  // f16
};
static_assert(sizeof(BlockQ3_K) == 110);

/// Sub-blocks of 32: x = d * scale * u - dmin * min, u of 4 bits, scales and mins of 6
struct BlockQ4_K {
    std::uint16_t d, dmin;  // f16
    std::uint8_t scales[12];
    std::uint8_t q[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

/// As q4_K, u of 5 bits
struct BlockQ5_K {
    std::uint16_t d, dmin;  // f16
    std::uint8_t scales[12];
    std::uint8_t high[32];
    std::uint8_t q[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

/// Sub-blocks of 16: x = d * scale * (u - 32), u of 6 bits
struct BlockQ6_K {
    std::uint8_t q[128];
    std::uint8_t high[64];
    std::int8_t scales[16];
    std::uint16_t d;  // f16
};
static_assert(sizeof(BlockQ6_K) == 210);

// Types of our own, which other programs refuse: 64 elements, levels from a table, and a header of two
// scales, each for 32 elements (kernels/quant_table.h). Their bits from the top: the first scale as a half
// with three bits of mantissa (s eeeee mmm; the scale is 2^-6 times that half, an exponent of 0 counting like
// the others); the second's exponent less the first's, plus 4 (three bits; the sum is held to 0..30); its
// sign and mantissa (s mmm). A header of 0: all elements are 0.

/// x[i] = scale * kT3Levels[u[i]]; of element 4 j + i of a half, bits 2 (j % 4).. of low[j / 4 * 4 + i] are
/// the low bits of u, bit j of high[i] is the third
struct BlockT3_64 {
    std::uint16_t d;
    struct Half {
        std::uint8_t low[8], high[4];
    } half[2];
};
static_assert(sizeof(BlockT3_64) == 26);
inline constexpr std::int8_t kT3Levels[8] = {-102, -62, -32, -6, 17, 43, 75, 127};

/// x[i] = scale * kT4Levels[u[i]], u of a half as the nibbles of q4_0
struct BlockT4_64 {
    std::uint16_t d;
    struct Half {
        std::uint8_t q[kQuantBlock / 2];
    } half[2];
};
static_assert(sizeof(BlockT4_64) == 34);
inline constexpr std::int8_t kT4Levels[16] = {-122, -92, -72, -55, -40, -27, -15, -3,
                                              8,    20,  33,  46,  62,  78,  100, 127};

}  // namespace tinyllm
