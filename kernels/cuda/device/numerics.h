// Conversions, activations and sums. Sums and products are fused where fmaf() stands and nowhere else (nvcc
// gets -fmad=false), so the emulation and every GPU round alike, but for exp and erfc.
#pragma once

#include "kernels/cuda/device/block.h"
#include "kernels/cuda/launch.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

TINYLLM_DEVICE float bf16_to_float(uint16_t bits) {
    return bits_to_float(static_cast<uint32_t>(bits) << 16);
}

TINYLLM_DEVICE uint16_t float_to_bf16(float x) {
    const uint32_t bits = float_to_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// The nearest integer, ties to even, for |x| < 2^22; some integer for all others, NaN too.
TINYLLM_DEVICE int nearest(float x) {
    return static_cast<int>(float_to_bits(x + 12582912.0f) & 0x7fffffu) - 0x400000;
}

TINYLLM_DEVICE bool is_finite(float x) {
    return (float_to_bits(x) & 0x7f800000u) != 0x7f800000u;
}

constexpr float kMinusInfinity = -HUGE_VALF;

TINYLLM_DEVICE float activate(int activation, float x) {
    switch (activation) {
        case kRelu:
            return x < 0 ? 0 : x;
        case kSilu:
            return x / (1 + expf(-x));
        case kGelu:
            return 0.5f * x * erfcf(-x * 0.70710678118654752440f);
        case kGeluTanh: {
            const float cube = x * x * x;
            return x / (1 + expf(-1.59576912160573071176f * fmaf(0.044715f, cube, x)));
        }
        case kReluSquared:
            return x < 0 ? 0 : x * x;
        default:
            return x;
    }
}

/// What norm() does to a row's elements.
struct RowNorm {
    float mean, inverse;
};

/// By all lanes of a warp together: stats(t) is that of the row at(t), (dim); null: nothing is done.
template <typename Row, typename Stats>
TINYLLM_DEVICE void norm_stats(Block& block, const NormParams& norm, int64_t dim, const Row& row,
                               const Stats& stats) {
    if (norm.kind == kNormNone) {
        block.each([&](int t) { stats(t) = RowNorm{0, 1}; });
        return;
    }
    PerThread<float> sum(block);
    block.each([&](int t) {
        sum[t] = 0;
        const float* x = row(t);
        if (!x || norm.kind != kNormLayer) return;
        for (int64_t i = t % kWarp; i < dim; i += kWarp) sum[t] += x[i];
    });
    block.warp_reduce([&](int t) -> float& { return sum[t]; }, Sum());
    block.each([&](int t) {
        const float mean = sum[t] / static_cast<float>(dim);
        stats(t).mean = mean;
        sum[t] = 0;
        const float* x = row(t);
        if (!x) return;
        for (int64_t i = t % kWarp; i < dim; i += kWarp) {
            const float d = x[i] - mean;
            sum[t] = fmaf(d, d, sum[t]);
        }
    });
    block.warp_reduce([&](int t) -> float& { return sum[t]; }, Sum());
    block.each([&](int t) { stats(t).inverse = 1 / sqrtf(sum[t] / static_cast<float>(dim) + norm.eps); });
}

TINYLLM_DEVICE float normed(const NormParams& norm, const RowNorm& stats, float x, int64_t i) {
    if (norm.kind == kNormNone) return x;
    const float y = (x - stats.mean) * stats.inverse;
    return norm.bias ? fmaf(y, norm.weight[i], norm.bias[i]) : y * norm.weight[i];
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
