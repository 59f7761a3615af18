// t3_64 and t4_64, types of our own: 8 or 16 levels from a table that follows the normal distribution, and
// two scales of four significant bits in 16 bits, each with the sign that puts the table's longer side where
// the 32 elements reach further. The search tries every scale that may be the best.
// docs/adr/0004-own-types.md.
#include "kernels/quant_table.h"

#include <array>
#include <limits>

#include "kernels/quant_convert.h"

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
    int first = 0;
    while (first < kScales - 1 && scale_at(first) * (1.45f * kLargestLevel) < extreme) ++first;
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

/// Halfway from each level to the next.
template <std::size_t n>
constexpr std::array<float, n - 1> middles(const std::int8_t (&levels)[n]) {
    std::array<float, n - 1> out{};
    for (std::size_t i = 0; i + 1 < n; ++i) out[i] = 0.5f * static_cast<float>(levels[i] + levels[i + 1]);
    return out;
}

template <const auto& kLevels>
float error_of(const float* x, float scale) {
    constexpr auto kMiddles = middles(kLevels);
    const float inverse = 1.0f / scale;
    float squares[kHalf];
    for (int i = 0; i < kHalf; ++i) {
        const float at = x[i] * inverse;
        auto level = static_cast<float>(kLevels[0]);
        for (std::size_t k = 0; k < kMiddles.size(); ++k) {
            const auto step = static_cast<float>(kLevels[k + 1] - kLevels[k]);
            level += at > kMiddles[k] ? step : 0.0f;
        }
        const float off = x[i] - scale * level;
        squares[i] = off * off;
    }
    float sum = 0;
    for (const float square : squares) sum += square;
    return sum;
}

template <const auto& kLevels>
Choice best_choice(const float* x, Range range) {
    Choice best;
    for (int i = range.first; i <= range.last; ++i) {
        for (const bool mirrored : {false, true}) {
            const float error = error_of<kLevels>(x, mirrored ? -scale_at(i) : scale_at(i));
            if (error < best.error) best = {i, mirrored, error};
        }
    }
    return best;
}

template <const auto& kLevels>
void choose_levels(const float* x, float scale, std::uint8_t* levels) {
    constexpr auto kMiddles = middles(kLevels);
    const float inverse = 1.0f / scale;
    for (int i = 0; i < kHalf; ++i) {
        levels[i] = 0;
        for (const float middle : kMiddles)
            levels[i] = static_cast<std::uint8_t>(levels[i] + (x[i] * inverse > middle));
    }
}

float magnitude(const float* x) {
    return std::fabs(largest(x, kHalf));
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

template <typename Block, const auto& kLevels>
void pack_table(const float* x, Block& block) {
    const float extremes[2] = {magnitude(x), magnitude(x + kHalf)};
    const float extreme = std::max(extremes[0], extremes[1]);
    if (extreme == 0) return;
    if (extreme > scale_at(kScales - 1) * kLargestLevel) {
        block.d = kNotANumber;
        return;
    }
    Choice best[2];
    for (int h = 0; h < 2; ++h) best[h] = best_choice<kLevels>(x + h * kHalf, scales_for(extremes[h]));
    // Exponents further apart than the difference can say: the half of the smaller elements gets a larger
    // scale.
    const int exponents[2] = {best[0].scale / kSteps, best[1].scale / kSteps};
    const int lowest = exponents[0] - kExponentBack, highest = exponents[0] + kSteps - 1 - kExponentBack;
    if (exponents[1] < lowest) {
        best[1] = best_choice<kLevels>(x + kHalf, {lowest * kSteps, lowest * kSteps});
    } else if (exponents[1] > highest) {
        const int raised = (exponents[1] - (kSteps - 1 - kExponentBack)) * kSteps;
        best[0] = best_choice<kLevels>(x, {raised, raised});
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

}  // namespace tinyllm
