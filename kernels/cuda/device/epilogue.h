// What becomes of a product before it is stored.
#pragma once

#include "kernels/cuda/device/numerics.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

TINYLLM_DEVICE void store(const Epilogue& e, int64_t i, int64_t r, float y) {
    if (e.bias) y += e.bias[r];
    y = activate(e.activation, y) * e.scale;
    float& out = e.out[i * e.out_stride + r];
    out = e.accumulate ? out + y : y;
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
