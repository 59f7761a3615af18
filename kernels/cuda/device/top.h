// The largest logits of a row without sorting the vocabulary: slices of it are sorted in shared memory, or
// searched where one is wanted, the best of each are sorted again, until one slice is left.
#pragma once

#include "kernels/cuda/device/numerics.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// A logit and its token as one number, the larger the better. Both zeros are one; no number is the least.
TINYLLM_DEVICE uint64_t candidate(float x, int64_t token) {
    const uint32_t bits = float_to_bits(x == 0 ? 0.0f : x);
    const uint32_t ordered = x != x ? 0 : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(ordered) << 32 | static_cast<uint32_t>(~token);
}
TINYLLM_DEVICE float logit_of(uint64_t candidate) {
    const auto ordered = static_cast<uint32_t>(candidate >> 32);
    return bits_to_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

struct Penalize {
    static constexpr int kThreads = 64;
    PenalizeParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        block.each([&](int t) {
            for (int i = t; i < p.n; i += kThreads) {
                if (p.tokens[i] < 0) continue;
                float& logit = p.logits[p.tokens[i]];
                logit = logit > 0 ? logit / p.penalty : logit * p.penalty;
            }
        });
    }
};

/// A block per slice.
struct Top {
    static constexpr int kThreads = 256;
    static constexpr int kWarps = kThreads / kWarp;
    TopParams p;

    static int64_t shared_bytes(int k) { return int64_t{k == 1 ? kWarps : kTopSlice} * 8 + kWarps * 8; }

    TINYLLM_DEVICE void operator()(Block& block) const {
        Shared<uint64_t> found(block, p.k == 1 ? kWarps : kTopSlice);
        if (p.k == 1) {
            search(block, found);
        } else {
            sort(block, found);
        }
        block.each([&](int t) {
            for (int i = t; i < p.k; i += kThreads) p.best[int64_t{block.x} * p.k + i] = found.get(t, i);
        });
        if (p.sums) add(block, found);
    }

  private:
    TINYLLM_DEVICE int64_t first(const Block& block) const { return int64_t{block.x} * kTopSlice; }
    TINYLLM_DEVICE int count(const Block& block) const {
        const int64_t left = p.n - first(block);
        return left < kTopSlice ? static_cast<int>(left) : kTopSlice;
    }
    TINYLLM_DEVICE uint64_t element(const Block& block, int i) const {
        if (i >= count(block)) return 0;
        const int64_t at = first(block) + i;
        return p.logits ? candidate(p.logits[at], at) : p.candidates[at];
    }

    /// The best one to found[0].
    TINYLLM_DEVICE void search(Block& block, Shared<uint64_t>& found) const {
        PerThread<uint64_t> best(block);
        block.each([&](int t) {
            best[t] = 0;
            for (int i = t; i < count(block); i += kThreads) best[t] = Largest()(best[t], element(block, i));
        });
        block.warp_reduce([&](int t) -> uint64_t& { return best[t]; }, Largest());
        block.each([&](int t) {
            if (t % kWarp == 0) found.set(t, t / kWarp, best[t]);
        });
        block.sync();
        block.each([&](int t) {
            if (t != 0) return;
            for (int w = 1; w < kWarps; ++w) best[t] = Largest()(best[t], found.get(t, w));
            found.set(t, 0, best[t]);
        });
        block.sync();
    }

    /// Batcher's bitonic network: all of the slice, descending.
    TINYLLM_DEVICE void sort(Block& block, Shared<uint64_t>& found) const {
        int n = 2;
        while (n < count(block) || n < p.k) n *= 2;
        block.each([&](int t) {
            for (int i = t; i < n; i += kThreads) found.set(t, i, element(block, i));
        });
        block.sync();
        for (int size = 2; size <= n; size *= 2) {
            for (int stride = size / 2; stride > 0; stride /= 2) {
                block.each([&](int t) {
                    for (int i = t; i < n / 2; i += kThreads) {
                        const int low = 2 * i - i % stride, high = low + stride;
                        const uint64_t a = found.get(t, low), b = found.get(t, high);
                        const bool descending = (low & size) == 0;
                        if (a == b || (a > b) == descending) continue;
                        found.set(t, low, b);
                        found.set(t, high, a);
                    }
                });
                block.sync();
            }
        }
    }

    TINYLLM_DEVICE void add(Block& block, Shared<uint64_t>& found) const {
        Shared<double> totals(block, kWarps);
        PerThread<double> total(block);
        block.each([&](int t) {
            const float top = logit_of(found.get(t, 0));
            total[t] = 0;
            for (int i = t; i < count(block); i += kThreads) {
                const float x = p.logits[first(block) + i];
                // Infinity less infinity is no number.
                total[t] += x == top ? 1.0 : static_cast<double>(expf((x - top) * p.steepness));
            }
        });
        block.warp_reduce([&](int t) -> double& { return total[t]; }, Sum());
        block.each([&](int t) {
            if (t % kWarp == 0) totals.set(t, t / kWarp, total[t]);
        });
        block.sync();
        block.each([&](int t) {
            if (t != 0) return;
            double sum = 0;
            for (int w = 0; w < kWarps; ++w) sum += totals.get(t, w);
            p.sums[2 * int64_t{block.x}] = logit_of(found.get(t, 0));
            p.sums[2 * int64_t{block.x} + 1] = sum;
        });
    }
};

struct TopTotal {
    static constexpr int kThreads = kWarp;
    TopTotalParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const double largest = logit_of(*p.largest);
        PerThread<double> total(block);
        block.each([&](int t) {
            total[t] = 0;
            for (int64_t i = t; i < p.slices; i += kThreads) {
                const double top = p.sums[2 * i];
                total[t] += top == largest ? p.sums[2 * i + 1]
                                           : p.sums[2 * i + 1] * exp((top - largest) * p.steepness);
            }
        });
        block.warp_reduce([&](int t) -> double& { return total[t]; }, Sum());
        block.each([&](int t) {
            if (t == 0) *p.total = total[t];
        });
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
