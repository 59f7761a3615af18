// The blocks in which quantized weights are stored, bit-compatible with GGUF (ggml-common.h has them under
// the same names): no padding, little-endian. f16 members are the half's bits.
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

}  // namespace tinyllm
