// q4_1, q5_0 and q5_1: blocks of 32 whose step follows from their extremes alone; or, together with q4_0, is
// searched for where errors are weighed.
#include "kernels/quant_convert.h"
#include "kernels/quant_search.h"

namespace tinyllm {
namespace {

constexpr int kHalf = kQuantBlock / 2;

void put_nibbles(const int* u, std::uint8_t* q) {
    for (int i = 0; i < kHalf; ++i) q[i] = static_cast<std::uint8_t>((u[i] & 15) | (u[i + kHalf] & 15) << 4);
}

void put_fifth_bits(const int* u, std::uint8_t* high) {
    for (int i = 0; i < kQuantBlock; ++i) {
        high[i / 8] = static_cast<std::uint8_t>(high[i / 8] | (u[i] >> 4 & 1) << i % 8);
    }
}

int nibble(const std::uint8_t* q, int i) {
    return i < kHalf ? q[i] & 15 : q[i - kHalf] >> 4;
}

int fifth_bit(const std::uint8_t* high, int i) {
    return (high[i / 8] >> i % 8 & 1) << 4;
}

/// u = round((x - min) / step), at most `top`; the step and the minimum go to d and m.
template <typename Block>
void put_range(const float* x, int top, Block& block, int* u) {
    const float low = *std::min_element(x, x + kQuantBlock);
    const float high = *std::max_element(x, x + kQuantBlock);
    const float d = (high - low) / static_cast<float>(top);
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    block.d = f32_to_f16(d);
    block.m = f32_to_f16(low);
    for (int i = 0; i < kQuantBlock; ++i) u[i] = std::clamp(truncated((x[i] - low) * inverse + 0.5f), 0, top);
}

void pack_q4_1(const float* x, BlockQ4_1& block) {
    int u[kQuantBlock];
    put_range(x, 15, block, u);
    put_nibbles(u, block.q);
}

void unpack_q4_1(const BlockQ4_1& block, float* to) {
    const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
    for (int i = 0; i < kQuantBlock; ++i) to[i] = static_cast<float>(nibble(block.q, i)) * d + m;
}

void pack_q5_1(const float* x, BlockQ5_1& block) {
    int u[kQuantBlock];
    put_range(x, 31, block, u);
    put_nibbles(u, block.q);
    put_fifth_bits(u, block.high);
}

void unpack_q5_1(const BlockQ5_1& block, float* to) {
    const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
    for (int i = 0; i < kQuantBlock; ++i) {
        to[i] = static_cast<float>(nibble(block.q, i) | fifth_bit(block.high, i)) * d + m;
    }
}

void pack_q5_0(const float* x, BlockQ5_0& block) {
    // As q4_0: the extreme becomes -16 exactly, its opposite is cut to 15.
    const float d = largest(x, kQuantBlock) / -16.0f;
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    block.d = f32_to_f16(d);
    int u[kQuantBlock];
    for (int i = 0; i < kQuantBlock; ++i) u[i] = std::clamp(truncated(x[i] * inverse + 16.5f), 0, 31);
    put_nibbles(u, block.q);
    put_fifth_bits(u, block.high);
}

void unpack_q5_0(const BlockQ5_0& block, float* to) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < kQuantBlock; ++i) {
        to[i] = static_cast<float>((nibble(block.q, i) | fifth_bit(block.high, i)) - 16) * d;
    }
}

// ------------------------------------------------------------
// weighed

/// What two levels to a byte, and a fifth bit where the block has room for it, are stored as.
template <typename Block>
void put_levels(const std::uint8_t* levels, Block& block) {
    int u[kQuantBlock];
    std::copy_n(levels, kQuantBlock, u);
    put_nibbles(u, block.q);
    if constexpr (requires { block.high; }) put_fifth_bits(u, block.high);
}

template <typename Block, int half>
void pack_symmetric(const float* x, const float* weights, Block& block) {
    std::uint8_t levels[kQuantBlock];
    block.d = f32_to_f16(search_symmetric(x, weights, kQuantBlock, half, levels));
    put_levels(levels, block);
}

template <typename Block, int top>
void pack_affine(const float* x, const float* weights, Block& block) {
    std::uint8_t levels[kQuantBlock];
    const AffineSearch how{.top = top, .first = -0.9f, .count = 36, .step = 0.05f};
    const Affine found = search_affine(x, weights, kQuantBlock, how, levels);
    block.d = f32_to_f16(found.scale);
    block.m = f32_to_f16(-found.minimum);
    put_levels(levels, block);
}

/// An element's size is judged beside the mean square of its whole row.
template <typename Block, void (*pack)(const float* x, const float* weights, Block&)>
void row_weighted(const float* from, const float* importance, void* to, std::int64_t n) {
    const float square = sum_of_squares(from, n) / static_cast<float>(n);
    for_each_block<Block, kQuantBlock>(from, to, n, [&](std::int64_t i, const float* x, Block& block) {
        float weights[kQuantBlock];
        weigh(x, importance + i, square, kQuantBlock, weights);
        pack(x, weights, block);
    });
}

}  // namespace

const WeightedFromF32 kWeightedQ4_0 = row_weighted<BlockQ4_0, pack_symmetric<BlockQ4_0, 8>>;
const WeightedFromF32 kWeightedQ5_0 = row_weighted<BlockQ5_0, pack_symmetric<BlockQ5_0, 16>>;
const WeightedFromF32 kWeightedQ4_1 = row_weighted<BlockQ4_1, pack_affine<BlockQ4_1, 15>>;
const WeightedFromF32 kWeightedQ5_1 = row_weighted<BlockQ5_1, pack_affine<BlockQ5_1, 31>>;

const Conversions kQ4_1{blocks_to_f32<BlockQ4_1, kQuantBlock, unpack_q4_1>,
                        blocks_from_f32<BlockQ4_1, kQuantBlock, pack_q4_1>};
const Conversions kQ5_0{blocks_to_f32<BlockQ5_0, kQuantBlock, unpack_q5_0>,
                        blocks_from_f32<BlockQ5_0, kQuantBlock, pack_q5_0>};
const Conversions kQ5_1{blocks_to_f32<BlockQ5_1, kQuantBlock, unpack_q5_1>,
                        blocks_from_f32<BlockQ5_1, kQuantBlock, pack_q5_1>};

}  // namespace tinyllm
