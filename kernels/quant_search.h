// Searches for the scale of a sub-block of the K types. Each tries a few steps around the one that the
// extremes give and keeps the best by a weighted error. The order of every sum is the format's reference's:
// bytes depend on it.
#pragma once

#include <cstdint>

namespace tinyllm {

constexpr int kSubBlock = 16;

/// 16 x ~ scale * (levels - half), levels in [0, 2 half); weights are the squares of x. Tries 18 other steps.
float search_symmetric(const float* x, int half, std::uint8_t* levels);

/// The same, but improves the levels one at a time, in up to five rounds.
float search_by_element(const float* x, int half, std::uint8_t* levels);

struct Affine {
    float scale = 0;
    float minimum = 0;  // >= 0, to be subtracted
};

/// Steps to try: (first + 0.1 i + top) / range for i in 0..count; and what is summed over the elements.
struct AffineSearch {
    int top;
    float first;
    int count;
    bool absolute;  // |error| instead of its square
};

/// n <= 32 x ~ scale * levels - minimum, levels in [0, top].
Affine search_affine(const float* x, const float* weights, int n, const AffineSearch& how,
                     std::uint8_t* levels);

}  // namespace tinyllm
