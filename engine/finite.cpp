// Scanning weights for NaN and infinity at the speed of memory: an exponent of all ones, looked for without
// branches.
#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/weights.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

template <typename T>
bool scan(const std::byte* data, std::size_t n, T exponent) {
    constexpr std::size_t kStep = 4096;
    for (std::size_t begin = 0; begin < n; begin += kStep) {
        const std::size_t count = std::min(kStep, n - begin);
        T found = 0;
        for (std::size_t i = 0; i < count; ++i) {
            T bits;
            std::memcpy(&bits, data + (begin + i) * sizeof(T), sizeof bits);
            found = static_cast<T>(found | ((bits & exponent) == exponent));
        }
        if (found) return false;
    }
    return true;
}

}  // namespace

bool all_finite(const TensorView& tensor) {
    const std::byte* data = tensor.data.data();
    const std::size_t bytes = tensor.data.size();
    switch (tensor.type) {
        case DType::f32:
            return scan<std::uint32_t>(data, bytes / 4, 0x7f800000u);
        case DType::f16:
            return scan<std::uint16_t>(data, bytes / 2, 0x7c00u);
        case DType::bf16:
            return scan<std::uint16_t>(data, bytes / 2, 0x7f80u);
        default:
            break;
    }
    // Every block begins with its f16 scale.
    const std::size_t block = traits(tensor.type).block_bytes;
    bool finite = true;
    for (std::size_t at = 0; at + block <= bytes; at += block) {
        std::uint16_t scale;
        std::memcpy(&scale, data + at, sizeof scale);
        finite &= (scale & 0x7c00u) != 0x7c00u;
    }
    return finite;
}

}  // namespace tinyllm
