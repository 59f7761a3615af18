// The scales of t3_64 and t4_64.
#pragma once

#include <cstdint>

namespace tinyllm {

/// The two scales that the header of a block gives, each for 32 elements. All of them are halves, too; NaN
/// for a header whose bits 10 to 14 are set, 0 for a header of 0.
struct HalfScales {
    float of[2];
};
HalfScales half_scales(std::uint16_t header);

}  // namespace tinyllm
