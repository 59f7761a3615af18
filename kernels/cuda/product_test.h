// A look at whether a library's products are those of the own kernels, before prompts are trusted to it.
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device/platform.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Products of prompts of several lengths with F16, BF16 and F32 weights, with several epilogues. Takes the
/// backend's mutex.
std::vector<std::vector<float>> sample_products(Backend& backend);

/// Whether two of these agree but for the order of sums in f32; what rounded a factor differs.
bool agree(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b);

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
