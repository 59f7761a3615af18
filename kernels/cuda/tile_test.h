// A look at whether a device's tiles for many rows give what those for few rows give: self_test() has few.
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/device/platform.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Multiplies as many rows as the largest tile is taken for on a GPU of so many multiprocessors, and the last
/// of them once more by every smaller tile, which must give the same bits. Empty if so, else what differs: "a
/// product of 256 rows gives other results". Takes the backend's mutex.
std::string tile_test(Backend& backend, int multiprocessors);

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
