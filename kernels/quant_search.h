// Searches for the scale of a sub-block of the K types. Each tries a few steps around the one that the
// extremes give and keeps the best by a weighted error. The order of every sum is the format's reference's:
// bytes depend on it.
#pragma once

#include <cstdint>

namespace tinyllm {

constexpr int kSubBlock = 16;

/// n x ~ scale * (levels - half), levels in [0, 2 half). Tries 18 other steps.
float search_symmetric(const float* x, const float* weights, int n, int half, std::uint8_t* levels);

/// The same for 16 x whose weights are their squares, but improves the levels one at a time, in up to five
/// rounds.
float search_by_element(const float* x, int half, std::uint8_t* levels);

/// n x >= 0 ~ scale * levels, levels in [0, top]. Tries 8 other steps, then improves the levels one at a time
/// in up to five rounds.
float search_positive(const float* x, const float* weights, int n, int top, std::uint8_t* levels);

struct Affine {
    float scale = 0;
    float minimum = 0;  // >= 0, to be subtracted
};

/// Steps to try: (first + step i + top) / range for i in 0..count; and what is summed over the elements.
struct AffineSearch {
    int top;
    float first;
    int count;
    bool absolute = false;  // |error| instead of its square
    float step = 0.1f;
};

/// n <= 32 x ~ scale * levels - minimum, levels in [0, top].
Affine search_affine(const float* x, const float* weights, int n, const AffineSearch& how,
                     std::uint8_t* levels);

}  // namespace tinyllm
