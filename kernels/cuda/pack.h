// Stored weights to the layout of layout.h.
#pragma once

#include <set>

#include "kernels/backend.h"
#include "kernels/cuda/held_type.h"
#include "kernels/cuda/runtime.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Backend::pack. Types that are held as others go to `recoded`.
Matrix pack(Runtime& runtime, Precision precision, std::span<const RawMatrix> parts, PackWatch* watch,
            std::set<DType>& recoded);

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
