// Scanning weights for NaN and infinity at the speed of memory: an exponent of all ones, looked for without
// branches.
#include <algorithm>
#include <cstring>
#include <span>

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

bool all_finite(DType type, std::span<const std::byte> data) {
    switch (type) {
        case DType::f32:
            return scan<std::uint32_t>(data.data(), data.size() / 4, 0x7f800000u);
        case DType::f16:
            return scan<std::uint16_t>(data.data(), data.size() / 2, 0x7c00u);
        case DType::bf16:
            return scan<std::uint16_t>(data.data(), data.size() / 2, 0x7f80u);
        default:
            break;
    }
    const TypeTraits& quantized = traits(type);
    const std::size_t block = quantized.block_bytes;
    bool finite = true;
    for (int i = 0; i < quantized.n_scales; ++i) {
        const auto first = static_cast<std::size_t>(quantized.scales_at + 2 * i);
        for (std::size_t at = 0; at + block <= data.size(); at += block) {
            std::uint16_t scale;
            std::memcpy(&scale, data.data() + at + first, sizeof scale);
            finite &= (scale & 0x7c00u) != 0x7c00u;
        }
    }
    return finite;
}

}  // namespace tinyllm
