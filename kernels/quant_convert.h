// What the quant_*.cpp share: the conversions each of them gives to the table in quant.cpp, and how a row
// becomes blocks.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/quant.h"

namespace tinyllm {

struct Conversions {
    void (*to_f32)(const void* from, float* to, std::int64_t n);
    void (*from_f32)(const float* from, void* to, std::int64_t n);
};

extern const Conversions kQ4_1, kQ5_0, kQ5_1, kIq4_NL, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K, kT3_64, kT4_64;

/// A row of n elements whose errors are weighed: quant_weighted.h.
using WeightedFromF32 = void (*)(const float* from, const float* importance, void* to, std::int64_t n);

extern const WeightedFromF32 kWeightedQ4_0, kWeightedQ4_1, kWeightedQ5_0, kWeightedQ5_1, kWeightedIq4_NL,
    kWeightedQ2_K, kWeightedQ3_K, kWeightedQ4_K, kWeightedQ5_K, kWeightedQ6_K, kWeightedT3_64, kWeightedT4_64;

/// Blocks may stand at any address, so each is copied.
template <typename Block, int size, void (*unpack)(const Block&, float*)>
void blocks_to_f32(const void* from, float* to, std::int64_t n) {
    for (std::int64_t b = 0; b < n / size; ++b, to += size) {
        Block block;
        std::memcpy(&block, static_cast<const char*>(from) + b * std::int64_t{sizeof block}, sizeof block);
        unpack(block, to);
    }
}

/// Numbers that are none reach no search for a scale: their block's scale is NaN and it reads as NaN
/// throughout. `pack(i, x, block)` makes the block of the elements from the i-th on.
template <typename Block, int size, typename Pack>
void for_each_block(const float* from, void* to, std::int64_t n, const Pack& pack) {
    for (std::int64_t b = 0; b < n / size; ++b, from += size) {
        Block block{};
        if (std::all_of(from, from + size, [](float x) { return std::isfinite(x); })) {
            pack(b * size, from, block);
        } else {
            block.d = 0x7e00;
        }
        std::memcpy(static_cast<char*>(to) + b * std::int64_t{sizeof block}, &block, sizeof block);
    }
}

template <typename Block, int size, void (*pack)(const float*, Block&)>
void blocks_from_f32(const float* from, void* to, std::int64_t n) {
    for_each_block<Block, size>(from, to, n,
                                [](std::int64_t, const float* x, Block& block) { pack(x, block); });
}

template <typename Block, int size, void (*pack)(const float* x, const float* importance, Block&)>
void blocks_weighted(const float* from, const float* importance, void* to, std::int64_t n) {
    for_each_block<Block, size>(
        from, to, n, [&](std::int64_t i, const float* x, Block& block) { pack(x, importance + i, block); });
}

/// The weight of an element's squared error: its importance times its size beside `square`, about the size
/// of those around it.
inline void weigh(const float* x, const float* importance, float square, int n, float* weights) {
    for (int i = 0; i < n; ++i) weights[i] = importance[i] * std::sqrt(square + x[i] * x[i]);
}

inline float sum_of_squares(const float* x, std::int64_t n) {
    float sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
    return sum;
}

/// The integer below a scaled element; 0 for what lies beyond every stored range, infinity and NaN too (a
/// scale near zero has an infinite inverse).
inline int truncated(float x) {
    return x > -128.0f && x < 128.0f ? static_cast<int>(x) : 0;
}

/// The nearest integer, ties to even, for |x| < 2^22; beyond that some integer, the one that ggml's bytes
/// come from: adding 1.5 * 2^23 leaves the integer in the low bits of the mantissa.
inline int nearest_integer(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x + 12582912.0f);
    return static_cast<int>(bits & 0x7fffffu) - 0x400000;
}

/// Below this a block is taken for zeros.
constexpr float kNoMagnitude = 1e-15f;

/// The element of largest magnitude, with its sign; the first of equals.
inline float largest(const float* x, int n) {
    float best = 0;
    for (int i = 0; i < n; ++i) {
        if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
    }
    return best;
}

}  // namespace tinyllm
