// Four floats at a time, for the searches for a block's scale: four scales are tried at once, so that the sum
// of each is still added up in the order of the elements, on which the bytes depend. And tables of levels
// that are read off instead of searched: levels are integers, so which is the nearest changes at multiples of
// a half only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tinyllm {

constexpr int kLanes = 4;
typedef float Lanes __attribute__((vector_size(16)));
typedef std::int32_t LaneInts __attribute__((vector_size(16)));

inline Lanes splat(float x) {
    return Lanes{x, x, x, x};
}

/// Where level i ends and i + 1 begins.
template <std::size_t n>
constexpr std::array<float, n - 1> middles(const std::int8_t (&levels)[n]) {
    std::array<float, n - 1> out{};
    for (std::size_t i = 0; i + 1 < n; ++i) out[i] = 0.5f * static_cast<float>(levels[i] + levels[i + 1]);
    return out;
}

/// The searches look no further from zero.
constexpr int kFarthest = 192;

/// Numbers up to kFarthest in magnitude as 4 x, if that is even, or the odd integer next to it: 2 x rounded
/// down plus 2 x rounded up.
inline LaneInts quarters(Lanes x) {
    const Lanes twice = x + x;
    LaneInts floor = __builtin_convertvector(twice, LaneInts);  // cut off
    floor += __builtin_convertvector(floor, Lanes) > twice;     // true is -1
    return floor + floor - (__builtin_convertvector(floor, Lanes) < twice);
}

/// The same of numbers that are not negative.
inline LaneInts positive_quarters(Lanes x) {
    const Lanes twice = x + x;
    const LaneInts floor = __builtin_convertvector(twice, LaneInts);
    return floor + floor - (__builtin_convertvector(floor, Lanes) < twice);
}

}  // namespace tinyllm
