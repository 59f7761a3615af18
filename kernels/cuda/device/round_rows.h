// Rows of x as tensor cores take them: 16 bits an element. Halves have 11 bits but a short range, so a row is
// first multiplied by the power of two that brings its largest element to [2^14, 2^15): none overflows,
// and what is 2^28 times as small as the largest still keeps its 11 bits. Sums are divided by it again. Rows
// for bf16 weights become bf16, which have f32's range and need no factor.
#pragma once

#include "kernels/cuda/device/numerics.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// A warp per row.
template <bool kBf16>
struct RoundRows {
    static constexpr int kThreads = 128;
    RoundRowsParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const auto row = [&](int t) { return block.x * (kThreads / kWarp) + t / kWarp; };
        const auto input = [&](int t) { return row(t) < p.n ? p.x + row(t) * p.cols : nullptr; };
        PerThread<RowNorm> stats(block);
        PerThread<uint32_t> largest(block);  // bits of a magnitude
        norm_stats(block, p.norm, p.cols, input, [&](int t) -> RowNorm& { return stats[t]; });
        block.each([&](int t) {
            largest[t] = 0;
            const float* x = kBf16 ? nullptr : input(t);
            if (!x) return;
            for (int64_t i = t % kWarp; i < p.cols; i += kWarp) {
                const float y = normed(p.norm, stats[t], x[i], i);
                if (is_finite(y)) largest[t] = Largest()(largest[t], float_to_bits(y) & 0x7fffffffu);
            }
        });
        block.warp_reduce([&](int t) -> uint32_t& { return largest[t]; }, Largest());
        block.each([&](int t) {
            const float* x = input(t);
            if (!x) return;
            // Of 2^e <= largest < 2^(e + 1), biased by 127. Below 2^-112 the factor stays at 2^126.
            uint32_t e = largest[t] >> 23;
            if (e < 15) e = 15;
            const float factor = kBf16 ? 1.0f : bits_to_float((268 - e) << 23);
            const int64_t words = rounded_pitch(p.cols) / 2;
            uint32_t* out = p.out + row(t) * words;
            for (int64_t i = t % kWarp; i < words; i += kWarp) {
                const float low = element(x, stats[t], 2 * i), high = element(x, stats[t], 2 * i + 1);
                out[i] = kBf16 ? float_to_bf16(low) | static_cast<uint32_t>(float_to_bf16(high)) << 16
                               : float_to_halves(low * factor, high * factor);
            }
            if (t % kWarp == 0) p.scales[row(t)] = kBf16 ? 1.0f : bits_to_float((e - 14) << 23);
        });
    }

  private:
    TINYLLM_DEVICE float element(const float* x, const RowNorm& stats, int64_t i) const {
        return i < p.cols ? normed(p.norm, stats, x[i], i) : 0.0f;
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
