// iq4_nl: 16 levels that lie closer together near zero, and the search for the scale that fits them best.
#include "kernels/quant_convert.h"
#include "kernels/quant_lanes.h"

namespace tinyllm {
namespace {

constexpr int kTries = 7;  // scales tried to each side

/// The level nearest to x; of two equally near the upper one.
int nearest_level(float x) {
    // The first level above x.
    const int above = static_cast<int>(std::upper_bound(kIq4Values, kIq4Values + 16, x) - kIq4Values);
    if (above == 0) return 0;
    if (above == 16) return 15;
    const auto low = static_cast<float>(kIq4Values[above - 1]), high = static_cast<float>(kIq4Values[above]);
    return x - low < high - x ? above - 1 : above;
}

/// The level nearest to x; by quarters(x).
constexpr std::array<float, 8 * kFarthest + 1> kNearestLevel = [] {
    std::array<float, 8 * kFarthest + 1> out{};
    for (std::size_t at = 0; at < out.size(); ++at) {
        std::size_t level = 0;
        for (const float middle : middles(kIq4Values)) {
            level += 0.25f * static_cast<float>(at) - static_cast<float>(kFarthest) >= middle;
        }
        out[at] = static_cast<float>(kIq4Values[level]);
    }
    return out;
}();

Lanes nearest_levels(Lanes x) {
    const LaneInts at = quarters(x) + 4 * kFarthest;
    return Lanes{
        kNearestLevel[static_cast<std::size_t>(at[0])], kNearestLevel[static_cast<std::size_t>(at[1])],
        kNearestLevel[static_cast<std::size_t>(at[2])], kNearestLevel[static_cast<std::size_t>(at[3])]};
}

/// Weighted least squares of x on the levels chosen with 1/d = `inverse`, for four of them.
struct LevelFits {
    Lanes product = {}, square = {};
};

LevelFits fit_levels(const float* x, const float* weights, Lanes inverse) {
    LevelFits sums;
    for (int i = 0; i < kQuantBlock; ++i) {
        const Lanes q = nearest_levels(inverse * splat(x[i]));
        sums.product += splat(weights[i]) * q * splat(x[i]);
        sums.square += splat(weights[i]) * q * q;
    }
    return sums;
}

float best_scale(const float* x, const float* weights) {
    const float extreme = largest(x, kQuantBlock);
    if (std::fabs(extreme) < kNoMagnitude) return 0;
    const float lowest = kIq4Values[0];
    constexpr int kInverses = 2 * kTries + 2;
    float inverses[kInverses] = {1.0f / (-extreme / lowest)};
    for (int i = 1; i < kInverses; ++i) inverses[i] = (static_cast<float>(i - 1 - kTries) + lowest) / extreme;
    float d = 0, best = 0;
    for (int first = 0; first < kInverses; first += kLanes) {
        const float* at = inverses + first;
        const LevelFits sums = fit_levels(x, weights, Lanes{at[0], at[1], at[2], at[3]});
        for (int i = 0; i < kLanes; ++i) {
            const float product = sums.product[i], square = sums.square[i];
            if (first + i == 0) {
                d = square > 0 ? product / square : 0.0f;
                best = d * product;
            } else if (square > 0 && product * product > best * square) {
                d = product / square;
                best = d * product;
            }
        }
    }
    return d;
}

void pack_by(const float* x, const float* weights, BlockIQ4_NL& block) {
    const float d = best_scale(x, weights);
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    block.d = f32_to_f16(d);
    for (int i = 0; i < kQuantBlock / 2; ++i) {
        const int low = nearest_level(inverse * x[i]);
        const int high = nearest_level(inverse * x[i + kQuantBlock / 2]);
        block.q[i] = static_cast<std::uint8_t>(low | high << 4);
    }
}

void pack_iq4_nl(const float* x, BlockIQ4_NL& block) {
    float weights[kQuantBlock];
    for (int i = 0; i < kQuantBlock; ++i) weights[i] = x[i] * x[i];
    pack_by(x, weights, block);
}

void pack_iq4_nl_weighted(const float* x, const float* importance, BlockIQ4_NL& block) {
    float weights[kQuantBlock];
    weigh(x, importance, sum_of_squares(x, kQuantBlock) * (2.0f / kQuantBlock), kQuantBlock, weights);
    pack_by(x, weights, block);
}

void unpack_iq4_nl(const BlockIQ4_NL& block, float* to) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < kQuantBlock / 2; ++i) {
        to[i] = d * static_cast<float>(kIq4Values[block.q[i] & 15]);
        to[i + kQuantBlock / 2] = d * static_cast<float>(kIq4Values[block.q[i] >> 4]);
    }
}

}  // namespace

const Conversions kIq4_NL{blocks_to_f32<BlockIQ4_NL, kQuantBlock, unpack_iq4_nl>,
                          blocks_from_f32<BlockIQ4_NL, kQuantBlock, pack_iq4_nl>};

const WeightedFromF32 kWeightedIq4_NL = blocks_weighted<BlockIQ4_NL, kQuantBlock, pack_iq4_nl_weighted>;

}  // namespace tinyllm
