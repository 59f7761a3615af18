// What a stored type is held as on the device: itself where there are kernels for it (layout.h), else a plain
// one.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/layout.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

inline DType held_type(DType stored, Precision precision) {
    if (sizes_of(static_cast<int>(stored)).levels > 0) return stored;
    return precision == Precision::exact ? DType::f32 : DType::f16;
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
