// Products of sizes that come from a file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace tinyllm {

/// a * b, or nothing where it would not fit. Both must be >= 0.
inline std::optional<std::int64_t> checked_product(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
    return result;
}

/// The number of elements of a shape, 1 for an empty one; nothing where it would not fit.
inline std::optional<std::int64_t> checked_elements(std::span<const std::int64_t> shape) {
    std::optional<std::int64_t> n = 1;
    for (const std::int64_t dim : shape) {
        n = checked_product(*n, dim);
        if (!n) return n;
    }
    return n;
}

}  // namespace tinyllm
