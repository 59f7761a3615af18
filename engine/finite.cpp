// Scanning weights for NaN and infinity at the speed of memory: an exponent of all ones, looked for without
// branches.
#include <algorithm>
#include <cstring>
#include <future>
#include <span>
#include <vector>

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

/// Whole blocks of one type.
bool finite_blocks(DType type, std::span<const std::byte> data) {
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

}  // namespace

bool all_finite(const TensorView& tensor, int threads) {
    constexpr std::size_t kWorthAThread = 1 << 19;  // bytes
    const std::size_t block = traits(tensor.type).block_bytes, blocks = tensor.data.size() / block;
    const std::size_t parts = std::clamp<std::size_t>(tensor.data.size() / kWorthAThread, 1,
                                                      static_cast<std::size_t>(std::max(threads, 1)));
    const auto part = [&](std::size_t i) {
        const std::size_t begin = blocks * i / parts * block, end = blocks * (i + 1) / parts * block;
        return finite_blocks(tensor.type, tensor.data.subspan(begin, end - begin));
    };
    std::vector<std::future<bool>> others;
    for (std::size_t i = 1; i < parts; ++i) others.push_back(std::async(std::launch::async, part, i));
    bool finite = part(0);
    for (auto& other : others) finite &= other.get();
    return finite;
}

}  // namespace tinyllm
