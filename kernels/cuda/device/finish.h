// What is left to do to products that a library made.
#pragma once

#include "kernels/cuda/device/epilogue.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// A thread per product; blocks go through a row, then the next.
struct Finish {
    static constexpr int kThreads = 256;
    FinishParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const int64_t per_row = (p.rows + kThreads - 1) / kThreads;
        const int64_t i = block.x / per_row, first = block.x % per_row * kThreads;
        block.each([&](int t) {
            const int64_t r = first + t;
            if (r >= p.rows) return;
            const float y = p.products[i * p.rows + r];
            store(p.epilogue, i, r, p.scales ? y * p.scales[i] : y);
        });
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
