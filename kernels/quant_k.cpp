// The K types' bytes: how scales, levels and their high bits lie in a super-block of 256, read and written.
// quant_search.h finds the scales.
#include "kernels/quant_convert.h"
#include "kernels/quant_search.h"
#include "kernels/sub_blocks.h"

namespace tinyllm {
namespace {

/// Levels of one super-block, one to a byte.
using Levels = std::uint8_t[kSuperBlock];

/// Two bits each, four to a byte: those of 32 elements, of the next 32, … in turn, the first 128 elements
/// before the others.
void put_pairs(const Levels& u, std::uint8_t* q) {
    for (int i = 0; i < kSuperBlock; ++i) {
        std::uint8_t& byte = q[i / 128 * 32 + i % 32];
        byte = static_cast<std::uint8_t>(byte | (u[i] & 3) << (i % 128 / 32 * 2));
    }
}

/// Adds them at bit `at` of the levels.
void get_pairs(const std::uint8_t* q, int at, Levels& u) {
    for (int part = 0; part < 8; ++part) {
        for (int i = 0; i < 32; ++i) {
            const int pair = q[part / 4 * 32 + i] >> (part % 4 * 2) & 3;
            u[32 * part + i] = static_cast<std::uint8_t>(u[32 * part + i] | pair << at);
        }
    }
}

/// Four bits each: of 64 elements the first 32 are the low nibbles.
void put_nibbles_64(const Levels& u, std::uint8_t* q) {
    for (int i = 0; i < kSuperBlock; ++i) {
        std::uint8_t& byte = q[i / 64 * 32 + i % 32];
        byte = static_cast<std::uint8_t>(byte | (u[i] & 15) << (i % 64 / 32 * 4));
    }
}

void get_nibbles_64(const std::uint8_t* q, Levels& u) {
    for (int part = 0; part < 8; ++part) {
        for (int i = 0; i < 32; ++i) {
            u[32 * part + i] = static_cast<std::uint8_t>(q[part / 2 * 32 + i] >> (part % 2 * 4) & 15);
        }
    }
}

/// One bit each: byte i % 32, bit i / 32.
void put_bit(const Levels& u, int bit, std::uint8_t* high) {
    for (int i = 0; i < kSuperBlock; ++i) {
        high[i % 32] = static_cast<std::uint8_t>(high[i % 32] | (u[i] >> bit & 1) << (i / 32));
    }
}

void get_bit(const std::uint8_t* high, int bit, Levels& u) {
    for (int part = 0; part < 8; ++part) {
        for (int i = 0; i < 32; ++i) {
            u[32 * part + i] = static_cast<std::uint8_t>(u[32 * part + i] | (high[i] >> part & 1) << bit);
        }
    }
}

/// The nearest levels under the scale and minimum as they are stored.
void choose_levels(const float* x, int n, float scale, float minimum, int low, int high, std::uint8_t* u) {
    for (int i = 0; i < n; ++i) {
        u[i] =
            static_cast<std::uint8_t>(std::clamp(nearest_integer((x[i] + minimum) / scale), low, high) - low);
    }
}

// ------------------------------------------------------------
// q2_K

/// The levels under the scales and minima that the block stores.
void put_levels_q2_k(const float* x, const int* scales, const int* minima, Levels& u, BlockQ2_K& block) {
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int s = 0; s < 16; ++s) {
        block.scales[s] = static_cast<std::uint8_t>(scales[s] | minima[s] << 4);
        const float step = d * static_cast<float>(block.scales[s] & 15);
        if (step == 0) continue;
        const float down = dmin * static_cast<float>(block.scales[s] >> 4);
        choose_levels(x + 16 * s, 16, step, down, 0, 3, u + 16 * s);
    }
    put_pairs(u, block.q);
}

void pack_q2_k(const float* x, BlockQ2_K& block) {
    Levels u;
    Affine found[16];
    float most_scale = 0, most_minimum = 0;
    for (int s = 0; s < 16; ++s) {
        float weights[16];
        for (int i = 0; i < 16; ++i) weights[i] = std::fabs(x[16 * s + i]);
        found[s] = search_affine(x + 16 * s, weights, 16, {3, -0.5f, 15, true}, u + 16 * s);
        most_scale = std::max(most_scale, found[s].scale);
        most_minimum = std::max(most_minimum, found[s].minimum);
    }
    const float by_scale = most_scale > 0 ? 15.0f / most_scale : 0.0f;
    const float by_minimum = most_minimum > 0 ? 15.0f / most_minimum : 0.0f;
    block.d = f32_to_f16(most_scale / 15.0f);
    block.dmin = f32_to_f16(most_minimum / 15.0f);
    int scales[16], minima[16];
    for (int s = 0; s < 16; ++s) {
        scales[s] = nearest_integer(by_scale * found[s].scale);
        minima[s] = nearest_integer(by_minimum * found[s].minimum);
    }
    put_levels_q2_k(x, scales, minima, u, block);
}

/// Scales and minima of weighed sub-blocks as integers of at most `top`, times what d and dmin become.
template <int n>
struct WeighedAffine {
    int scales[n], minima[n];

    template <typename Block>
    WeighedAffine(const float* x, const float* importance, float square, int top, int top_scale, Block& block,
                  Levels& u) {
        constexpr int size = kSuperBlock / n;
        float scale[n], minimum[n], sums[n];
        for (int s = 0; s < n; ++s) {
            float weights[size];
            weigh(x + size * s, importance + size * s, square, size, weights);
            sums[s] = 0;
            for (const float weight : weights) sums[s] += weight;
            const AffineSearch how{.top = top, .first = -0.9f, .count = 36, .step = 0.05f};
            const Affine found = search_affine(x + size * s, weights, size, how, u + size * s);
            scale[s] = found.scale;
            minimum[s] = found.minimum;
        }
        std::uint8_t levels[n];
        block.d = f32_to_f16(search_positive(scale, sums, n, top_scale, levels));
        std::copy_n(levels, n, scales);
        block.dmin = f32_to_f16(search_positive(minimum, sums, n, top_scale, levels));
        std::copy_n(levels, n, minima);
    }
};

void pack_q2_k_weighted(const float* x, const float* importance, BlockQ2_K& block) {
    Levels u;
    const float square = sum_of_squares(x, kSuperBlock) / kSuperBlock;
    const WeighedAffine<16> found(x, importance, square, 3, 15, block, u);
    put_levels_q2_k(x, found.scales, found.minima, u, block);
}

SubBlocks parts_of(const BlockQ2_K& block) {
    SubBlocks parts{.size = 16, .offset = 0};
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int s = 0; s < 16; ++s) {
        parts.scale[s] = d * static_cast<float>(block.scales[s] & 15);
        parts.minimum[s] = dmin * static_cast<float>(block.scales[s] >> 4);
    }
    get_pairs(block.q, 0, parts.level);
    return parts;
}

// ------------------------------------------------------------
// q3_K

/// 16 scales of 6 bits: byte s % 8 has the low four, those from the eighth on in its upper half;
/// byte 8 + s % 4 the high two.
void put_scale_q3(int s, int scale, std::uint8_t* scales) {
    scales[s % 8] = static_cast<std::uint8_t>(scales[s % 8] | (scale & 15) << (s / 8 * 4));
    scales[8 + s % 4] = static_cast<std::uint8_t>(scales[8 + s % 4] | (scale >> 4) << (s / 4 * 2));
}

int scale_q3(int s, const std::uint8_t* scales) {
    return (scales[s % 8] >> (s / 8 * 4) & 15) | (scales[8 + s % 4] >> (s / 4 * 2) & 3) << 4;
}

/// The levels under the scales, in [-32, 31], that the block stores.
void put_levels_q3_k(const float* x, const int* scales, Levels& u, BlockQ3_K& block) {
    const float d = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
        put_scale_q3(s, scales[s] + 32, block.scales);
        const float step = d * static_cast<float>(scales[s]);
        if (step != 0) choose_levels(x + 16 * s, 16, step, 0, -4, 3, u + 16 * s);
    }
    put_pairs(u, block.q);
    put_bit(u, 2, block.high);
}

void pack_q3_k(const float* x, BlockQ3_K& block) {
    Levels u;
    float found[16];
    for (int s = 0; s < 16; ++s) found[s] = search_by_element(x + 16 * s, 4, u + 16 * s);
    const float extreme = largest(found, 16);
    if (extreme == 0) {  // all scales 0, whose bytes are those of -32
        put_pairs(u, block.q);
        put_bit(u, 2, block.high);
        return;
    }
    const float inverse = -32.0f / extreme;
    block.d = f32_to_f16(1.0f / inverse);
    int scales[16];
    for (int s = 0; s < 16; ++s) scales[s] = std::clamp(nearest_integer(inverse * found[s]), -32, 31);
    put_levels_q3_k(x, scales, u, block);
}

void pack_q3_k_weighted(const float* x, const float* importance, BlockQ3_K& block) {
    Levels u;
    float found[16], sums[16];
    const float square = 2 * sum_of_squares(x, kSuperBlock) / kSuperBlock;
    for (int s = 0; s < 16; ++s) {
        float weights[16];
        weigh(x + 16 * s, importance + 16 * s, square, 16, weights);
        sums[s] = 0;
        for (const float weight : weights) sums[s] += weight;
        found[s] = search_symmetric(x + 16 * s, weights, 16, 4, u + 16 * s);
    }
    std::uint8_t levels[16];
    block.d = f32_to_f16(search_symmetric(found, sums, 16, 32, levels));
    int scales[16];
    for (int s = 0; s < 16; ++s) scales[s] = levels[s] - 32;
    put_levels_q3_k(x, scales, u, block);
}

SubBlocks parts_of(const BlockQ3_K& block) {
    SubBlocks parts{.size = 16, .offset = 4};
    const float d = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) parts.scale[s] = d * static_cast<float>(scale_q3(s, block.scales) - 32);
    get_pairs(block.q, 0, parts.level);
    get_bit(block.high, 2, parts.level);
    return parts;
}

// ------------------------------------------------------------
// q4_K and q5_K

/// 8 scales and 8 minima of 6 bits. The first four of each have a byte of their own, whose upper two bits are
/// the upper two of the later ones; of those the low four share a byte.
void put_scale_and_minimum(int s, int scale, int minimum, std::uint8_t* scales) {
    if (s < 4) {
        scales[s] = static_cast<std::uint8_t>(scale);
        scales[s + 4] = static_cast<std::uint8_t>(minimum);
        return;
    }
    scales[s + 4] = static_cast<std::uint8_t>((scale & 15) | (minimum & 15) << 4);
    scales[s - 4] = static_cast<std::uint8_t>(scales[s - 4] | (scale >> 4) << 6);
    scales[s] = static_cast<std::uint8_t>(scales[s] | (minimum >> 4) << 6);
}

struct ScaleAndMinimum {
    int scale, minimum;
};

ScaleAndMinimum scale_and_minimum(int s, const std::uint8_t* scales) {
    if (s < 4) return {scales[s] & 63, scales[s + 4] & 63};
    return {(scales[s + 4] & 15) | scales[s - 4] >> 6 << 4, scales[s + 4] >> 4 | scales[s] >> 6 << 4};
}

/// The nearest integer as a byte, at most 63; a negative one is a large byte.
int six_bits(float x) {
    return std::min(63, static_cast<int>(static_cast<std::uint8_t>(nearest_integer(x))));
}

/// Puts scales and minima in their place and chooses the levels under them.
template <typename Block>
void put_levels_affine(const float* x, const int* scales, const int* minima, int top, Block& block,
                       Levels& u) {
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int s = 0; s < 8; ++s) {
        put_scale_and_minimum(s, scales[s], minima[s], block.scales);
        const float step = d * static_cast<float>(scales[s]);
        if (step == 0) continue;
        choose_levels(x + 32 * s, 32, step, dmin * static_cast<float>(minima[s]), 0, top, u + 32 * s);
    }
}

/// Scales, minima and levels of what q4_K and q5_K share.
template <typename Block>
void choose_affine(const float* x, const AffineSearch& how, Block& block, Levels& u) {
    Affine found[8];
    float most_scale = 0, most_minimum = 0;
    for (int s = 0; s < 8; ++s) {
        const float* part = x + 32 * s;
        float squares = 0;
        for (int i = 0; i < 32; ++i) squares += part[i] * part[i];
        const float average = std::sqrt(squares / 32);
        float weights[32];
        for (int i = 0; i < 32; ++i) weights[i] = average + std::fabs(part[i]);
        found[s] = search_affine(part, weights, 32, how, u + 32 * s);
        most_scale = std::max(most_scale, found[s].scale);
        most_minimum = std::max(most_minimum, found[s].minimum);
    }
    const float by_scale = most_scale > 0 ? 63.0f / most_scale : 0.0f;
    const float by_minimum = most_minimum > 0 ? 63.0f / most_minimum : 0.0f;
    block.d = f32_to_f16(most_scale / 63.0f);
    block.dmin = f32_to_f16(most_minimum / 63.0f);
    int scales[8], minima[8];
    for (int s = 0; s < 8; ++s) {
        scales[s] = six_bits(by_scale * found[s].scale);
        minima[s] = six_bits(by_minimum * found[s].minimum);
    }
    put_levels_affine(x, scales, minima, how.top, block, u);
}

template <typename Block>
void choose_affine_weighted(const float* x, const float* importance, int top, Block& block, Levels& u) {
    const float square = 2 * sum_of_squares(x, kSuperBlock) / kSuperBlock;
    const WeighedAffine<8> found(x, importance, square, top, 63, block, u);
    put_levels_affine(x, found.scales, found.minima, top, block, u);
}

template <typename Block>
SubBlocks affine_parts(const Block& block) {
    SubBlocks parts{.size = 32, .offset = 0};
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int s = 0; s < 8; ++s) {
        const auto [scale, minimum] = scale_and_minimum(s, block.scales);
        parts.scale[s] = d * static_cast<float>(scale);
        parts.minimum[s] = dmin * static_cast<float>(minimum);
    }
    get_nibbles_64(block.q, parts.level);
    return parts;
}

void pack_q4_k(const float* x, BlockQ4_K& block) {
    Levels u;
    choose_affine(x, {15, -1.0f, 20, false}, block, u);
    put_nibbles_64(u, block.q);
}

void pack_q4_k_weighted(const float* x, const float* importance, BlockQ4_K& block) {
    Levels u;
    choose_affine_weighted(x, importance, 15, block, u);
    put_nibbles_64(u, block.q);
}

SubBlocks parts_of(const BlockQ4_K& block) {
    return affine_parts(block);
}

void pack_q5_k(const float* x, BlockQ5_K& block) {
    Levels u;
    choose_affine(x, {31, -0.5f, 15, false}, block, u);
    put_nibbles_64(u, block.q);
    put_bit(u, 4, block.high);
}

void pack_q5_k_weighted(const float* x, const float* importance, BlockQ5_K& block) {
    Levels u;
    choose_affine_weighted(x, importance, 31, block, u);
    put_nibbles_64(u, block.q);
    put_bit(u, 4, block.high);
}

SubBlocks parts_of(const BlockQ5_K& block) {
    SubBlocks parts = affine_parts(block);
    get_bit(block.high, 4, parts.level);
    return parts;
}

// ------------------------------------------------------------
// q6_K

/// The weights of the search: an element's square, or its importance alone.
void pack_q6_k_weighted(const float* x, const float* weights, BlockQ6_K& block) {
    Levels u;
    float found[16];
    for (int s = 0; s < 16; ++s) {
        found[s] = search_symmetric(x + 16 * s, weights + 16 * s, 16, 32, u + 16 * s);
    }
    const float extreme = largest(found, 16);
    if (std::fabs(extreme) < kNoMagnitude) return;  // all bytes zero
    const float inverse = -128.0f / extreme;
    block.d = f32_to_f16(1.0f / inverse);
    const float d = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
        block.scales[s] = static_cast<std::int8_t>(std::min(127, nearest_integer(inverse * found[s])));
        const float step = d * static_cast<float>(block.scales[s]);
        if (step != 0) choose_levels(x + 16 * s, 16, step, 0, -32, 31, u + 16 * s);
    }
    // Low nibbles: of 128 elements the first 64 are the low halves of 64 bytes.
    for (int i = 0; i < kSuperBlock; ++i) {
        std::uint8_t& low = block.q[i / 128 * 64 + i % 64];
        low = static_cast<std::uint8_t>(low | (u[i] & 15) << (i % 128 / 64 * 4));
        u[i] = static_cast<std::uint8_t>(u[i] >> 4);
    }
    put_pairs(u, block.high);
}

void pack_q6_k(const float* x, BlockQ6_K& block) {
    float weights[kSuperBlock];
    for (int i = 0; i < kSuperBlock; ++i) weights[i] = x[i] * x[i];
    pack_q6_k_weighted(x, weights, block);
}

SubBlocks parts_of(const BlockQ6_K& block) {
    SubBlocks parts{.size = 16, .offset = 32};
    const float d = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) parts.scale[s] = d * static_cast<float>(block.scales[s]);
    for (int part = 0; part < 4; ++part) {
        for (int i = 0; i < 64; ++i) {
            const int low = block.q[part / 2 * 64 + i] >> (part % 2 * 4) & 15;
            parts.level[64 * part + i] = static_cast<std::uint8_t>(low);
        }
    }
    get_pairs(block.high, 4, parts.level);
    return parts;
}

template <typename Block>
void unpack(const Block& block, float* to) {
    const SubBlocks parts = parts_of(block);
    for (int i = 0; i < kSuperBlock; ++i) {
        const int s = i / parts.size;
        to[i] = parts.scale[s] * static_cast<float>(parts.level[i] - parts.offset) - parts.minimum[s];
    }
}

template <typename Block, void (*pack)(const float*, Block&)>
constexpr Conversions kSuper{blocks_to_f32<Block, kSuperBlock, unpack<Block>>,
                             blocks_from_f32<Block, kSuperBlock, pack>};

template <typename Block, void (*pack)(const float*, const float*, Block&)>
constexpr WeightedFromF32 kSuperWeighted = blocks_weighted<Block, kSuperBlock, pack>;

template <typename Block>
SubBlocks parts_at(const void* from) {
    Block block;
    std::memcpy(&block, from, sizeof block);
    return parts_of(block);
}

}  // namespace

const Conversions kQ2_K = kSuper<BlockQ2_K, pack_q2_k>;
const Conversions kQ3_K = kSuper<BlockQ3_K, pack_q3_k>;
const Conversions kQ4_K = kSuper<BlockQ4_K, pack_q4_k>;
const Conversions kQ5_K = kSuper<BlockQ5_K, pack_q5_k>;
const Conversions kQ6_K = kSuper<BlockQ6_K, pack_q6_k>;

const WeightedFromF32 kWeightedQ2_K = kSuperWeighted<BlockQ2_K, pack_q2_k_weighted>;
const WeightedFromF32 kWeightedQ3_K = kSuperWeighted<BlockQ3_K, pack_q3_k_weighted>;
const WeightedFromF32 kWeightedQ4_K = kSuperWeighted<BlockQ4_K, pack_q4_k_weighted>;
const WeightedFromF32 kWeightedQ5_K = kSuperWeighted<BlockQ5_K, pack_q5_k_weighted>;
const WeightedFromF32 kWeightedQ6_K = kSuperWeighted<BlockQ6_K, pack_q6_k_weighted>;

SubBlocks sub_blocks(DType type, const void* from) {
    switch (type) {
        case DType::q2_k:
            return parts_at<BlockQ2_K>(from);
        case DType::q3_k:
            return parts_at<BlockQ3_K>(from);
        case DType::q4_k:
            return parts_at<BlockQ4_K>(from);
        case DType::q5_k:
            return parts_at<BlockQ5_K>(from);
        default:
            return parts_at<BlockQ6_K>(from);
    }
}

}  // namespace tinyllm
