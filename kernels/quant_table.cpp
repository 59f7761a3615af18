// t3_64 and t4_64, types of our own: 8 or 16 levels from a table that follows the normal distribution, and
// two scales of four significant bits in 16 bits, each with the sign that puts the table's longer side where
// the 32 elements reach further. The search tries every scale that may be the best.
// docs/adr/0004-own-types.md.
#include "kernels/quant_table.h"

#include <array>
#include <limits>

#include "kernels/quant_convert.h"
#include "kernels/quant_lanes.h"

namespace tinyllm {
namespace {

constexpr int kHalf = kQuantBlock;    // elements to a scale
constexpr int kSteps = 8;             // scales to a power of two
constexpr int kScales = 31 * kSteps;  // scale i is (8 + i % 8) 2^(i / 8 - 24)
constexpr float kLargestLevel = 127;  // of both tables
constexpr int kExponentBack = 4;      // the second exponent is the first's plus 0..7, minus this
constexpr std::uint16_t kNotANumber = 0x7c00;

constexpr float scale_at(int i) {
    return std::bit_cast<float>(static_cast<std::uint32_t>((i / kSteps - 21 + 127) << 23 | i % kSteps << 20));
}

/// The scales between which the best one lies, both included, for elements up to `extreme` in magnitude: the
/// extreme falls between 0.85 and 1.45 times the largest level; a wider search finds nothing better.
struct Range {
    int first, last;
};

Range scales_for(float extreme) {
    constexpr float kClipped = 1.45f;
    static_assert(kClipped * kLargestLevel < kFarthest);
    // The scale below what is looked for, read off the bits of the quotient.
    const auto bits = std::bit_cast<std::uint32_t>(extreme / (kClipped * kLargestLevel));
    int first = std::clamp(static_cast<int>(bits >> 20) - (127 - 21) * kSteps - 1, 0, kScales - 1);
    while (first < kScales - 1 && scale_at(first) * (kClipped * kLargestLevel) < extreme) ++first;
    int last = first;
    while (last < kScales - 1 && scale_at(last + 1) * (0.85f * kLargestLevel) <= extreme) ++last;
    return {first, last};
}

/// What stands for 32 elements: the scale, its sign, and the sum of the squared errors.
struct Choice {
    int scale = 0;
    bool mirrored = false;
    float error = std::numeric_limits<float>::infinity();
};

/// The levels nearest to x / scale and to x / -scale, as multiples of x's sign: what errors both signs of a
/// scale make.
struct Pair {
    float plain, mirrored;
};

/// By x's sign (1: negative) and the quarters of its magnitude.
template <const auto& kLevels>
constexpr auto nearest_pairs() {
    constexpr auto kMiddles = middles(kLevels);
    std::array<std::array<Pair, 4 * kFarthest + 1>, 2> out{};
    for (std::size_t at = 0; at < out[0].size(); ++at) {
        std::size_t above = 0, below = 0;  // a number in the middle belongs to the lower level
        for (const float middle : kMiddles) {
            above += 0.25f * static_cast<float>(at) > middle;
            below += -0.25f * static_cast<float>(at) > middle;
        }
        const auto up = static_cast<float>(kLevels[above]), down = -static_cast<float>(kLevels[below]);
        out[0][at] = {up, down};
        out[1][at] = {down, up};
    }
    return out;
}

/// The sums of the 32 weighed squared errors for four scales, and for them mirrored.
struct Errors {
    Lanes plain = {}, mirrored = {};
};

template <const auto& kLevels>
Errors errors_of(const float* x, const float* weights, Lanes scales) {
    static constexpr auto kNearest = nearest_pairs<kLevels>();
    const Lanes inverse = splat(1.0f) / scales;
    Errors sums;
    for (int i = 0; i < kHalf; ++i) {
        const Pair* const nearest = kNearest[std::bit_cast<std::uint32_t>(x[i]) >> 31].data();
        const Lanes size = splat(std::fabs(x[i])), weight = splat(weights[i]);
        const LaneInts at = positive_quarters(size * inverse);
        const Pair p[kLanes] = {nearest[at[0]], nearest[at[1]], nearest[at[2]], nearest[at[3]]};
        const Lanes plain = size - scales * Lanes{p[0].plain, p[1].plain, p[2].plain, p[3].plain};
        const Lanes mirrored =
            size - scales * Lanes{p[0].mirrored, p[1].mirrored, p[2].mirrored, p[3].mirrored};
        sums.plain += weight * (plain * plain);
        sums.mirrored += weight * (mirrored * mirrored);
    }
    return sums;
}

template <const auto& kLevels>
Choice best_choice(const float* x, const float* weights, Range range) {
    Choice best;
    for (int first = range.first; first <= range.last; first += kLanes) {
        Lanes scales;
        for (int i = 0; i < kLanes; ++i) scales[i] = scale_at(std::min(first + i, range.last));
        const Errors errors = errors_of<kLevels>(x, weights, scales);
        for (int i = 0; i < kLanes && first + i <= range.last; ++i) {
            if (errors.plain[i] < best.error) best = {first + i, false, errors.plain[i]};
            if (errors.mirrored[i] < best.error) best = {first + i, true, errors.mirrored[i]};
        }
    }
    return best;
}

template <const auto& kLevels>
void choose_levels(const float* x, float scale, std::uint8_t* levels) {
    constexpr auto kMiddles = middles(kLevels);
    const Lanes inverse = splat(1.0f / scale);
    for (int i = 0; i < kHalf; i += kLanes) {
        const Lanes at = Lanes{x[i], x[i + 1], x[i + 2], x[i + 3]} * inverse;
        LaneInts level = {};
        for (const float middle : kMiddles) level -= at > splat(middle);
        for (int j = 0; j < kLanes; ++j) levels[i + j] = static_cast<std::uint8_t>(level[j]);
    }
}

float magnitude(const float* x) {
    return std::fabs(largest(x, kHalf));
}

/// Each error's weight: its column's importance, beside the largest of the half's so that no sum is too
/// large, times its element's size as for ggml's types. Where nothing matters everything does alike.
void weigh_half(const float* x, const float* importance, float* weights) {
    const float most = *std::max_element(importance, importance + kHalf);
    if (!(most > 0)) {
        std::fill_n(weights, kHalf, 1.0f);
        return;
    }
    float relative[kHalf];
    for (int i = 0; i < kHalf; ++i) relative[i] = importance[i] / most;
    weigh(x, relative, sum_of_squares(x, kHalf) * (2.0f / kHalf), kHalf, weights);
}

void put_indices(const std::uint8_t* levels, BlockT4_64::Half& half) {
    for (int i = 0; i < kHalf / 2; ++i)
        half.q[i] = static_cast<std::uint8_t>(levels[i] | levels[i + kHalf / 2] << 4);
}

void get_indices(const BlockT4_64::Half& half, std::uint8_t* levels) {
    for (int i = 0; i < kHalf / 2; ++i) {
        levels[i] = half.q[i] & 15;
        levels[i + kHalf / 2] = half.q[i] >> 4;
    }
}

void put_indices(const std::uint8_t* levels, BlockT3_64::Half& half) {
    for (int i = 0; i < kHalf; ++i) {
        const int j = i / 4;
        std::uint8_t& low = half.low[j / 4 * 4 + i % 4];
        std::uint8_t& high = half.high[i % 4];
        low = static_cast<std::uint8_t>(low | (levels[i] & 3) << j % 4 * 2);
        high = static_cast<std::uint8_t>(high | levels[i] >> 2 << j);
    }
}

void get_indices(const BlockT3_64::Half& half, std::uint8_t* levels) {
    for (int i = 0; i < kHalf; ++i) {
        const int j = i / 4;
        const int low = half.low[j / 4 * 4 + i % 4] >> j % 4 * 2 & 3;
        levels[i] = static_cast<std::uint8_t>(low | (half.high[i % 4] >> j & 1) << 2);
    }
}

/// weights: of the 64 squared errors; null: all alike.
template <typename Block, const auto& kLevels>
void pack_weighed(const float* x, const float* weights, Block& block) {
    static constexpr auto kAlike = [] {
        std::array<float, 2 * kHalf> ones{};
        ones.fill(1);
        return ones;
    }();
    const float* const w = weights ? weights : kAlike.data();
    const float extremes[2] = {magnitude(x), magnitude(x + kHalf)};
    const float extreme = std::max(extremes[0], extremes[1]);
    if (extreme == 0) return;
    if (extreme > scale_at(kScales - 1) * kLargestLevel) {
        block.d = kNotANumber;
        return;
    }
    Choice best[2];
    for (int h = 0; h < 2; ++h)
        best[h] = best_choice<kLevels>(x + h * kHalf, w + h * kHalf, scales_for(extremes[h]));
    // Exponents further apart than the difference can say: the half of the smaller elements gets a larger
    // scale.
    const int exponents[2] = {best[0].scale / kSteps, best[1].scale / kSteps};
    const int lowest = exponents[0] - kExponentBack, highest = exponents[0] + kSteps - 1 - kExponentBack;
    if (exponents[1] < lowest) {
        best[1] = best_choice<kLevels>(x + kHalf, w + kHalf, {lowest * kSteps, lowest * kSteps});
    } else if (exponents[1] > highest) {
        const int raised = (exponents[1] - (kSteps - 1 - kExponentBack)) * kSteps;
        best[0] = best_choice<kLevels>(x, w, {raised, raised});
    }
    const int difference = best[1].scale / kSteps - best[0].scale / kSteps + kExponentBack;
    block.d = static_cast<std::uint16_t>(best[0].mirrored << 15 | best[0].scale << 7 | difference << 4 |
                                         best[1].mirrored << 3 | best[1].scale % kSteps);
    const HalfScales scales = half_scales(block.d);
    for (int h = 0; h < 2; ++h) {
        std::uint8_t levels[kHalf];
        choose_levels<kLevels>(x + h * kHalf, scales.of[h], levels);
        put_indices(levels, block.half[h]);
    }
}

template <typename Block, const auto& kLevels>
void pack_table(const float* x, Block& block) {
    pack_weighed<Block, kLevels>(x, nullptr, block);
}

template <typename Block, const auto& kLevels>
void pack_table_weighted(const float* x, const float* importance, Block& block) {
    float weights[2 * kHalf];
    for (int h = 0; h < 2; ++h) weigh_half(x + h * kHalf, importance + h * kHalf, weights + h * kHalf);
    pack_weighed<Block, kLevels>(x, weights, block);
}

template <typename Block, const auto& kLevels>
void unpack_table(const Block& block, float* to) {
    const HalfScales scales = half_scales(block.d);
    for (int h = 0; h < 2; ++h, to += kHalf) {
        std::uint8_t levels[kHalf];
        get_indices(block.half[h], levels);
        for (int i = 0; i < kHalf; ++i) to[i] = scales.of[h] * static_cast<float>(kLevels[levels[i]]);
    }
}

template <typename Block, const auto& kLevels>
constexpr Conversions conversions() {
    return {blocks_to_f32<Block, 2 * kHalf, unpack_table<Block, kLevels>>,
            blocks_from_f32<Block, 2 * kHalf, pack_table<Block, kLevels>>};
}

}  // namespace

HalfScales half_scales(std::uint16_t header) {
    if (header == 0) return {{0, 0}};
    const int first = header >> 7 & 0xff;
    if (first >= kScales) {
        const float none = std::numeric_limits<float>::quiet_NaN();
        return {{none, none}};
    }
    const int exponent = std::clamp(first / kSteps + (header >> 4 & 7) - kExponentBack, 0, 30);
    const float scales[2] = {scale_at(first), scale_at(exponent * kSteps + (header & 7))};
    return {{header & 0x8000 ? -scales[0] : scales[0], header & 8 ? -scales[1] : scales[1]}};
}

const Conversions kT3_64 = conversions<BlockT3_64, kT3Levels>();
const Conversions kT4_64 = conversions<BlockT4_64, kT4Levels>();
const WeightedFromF32 kWeightedT3_64 =
    blocks_weighted<BlockT3_64, 2 * kHalf, pack_table_weighted<BlockT3_64, kT3Levels>>;
const WeightedFromF32 kWeightedT4_64 =
    blocks_weighted<BlockT4_64, 2 * kHalf, pack_table_weighted<BlockT4_64, kT4Levels>>;

}  // namespace tinyllm
