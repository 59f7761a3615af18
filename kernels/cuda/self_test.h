// A look at whether a device computes what it should, before a model is trusted to it.
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/device/platform.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Runs the ops of one small layer and a head on `backend` and on the reference. Empty where they agree, else
/// what differs: "qkv gives other results". Takes the backend's mutex.
std::string self_test(Backend& backend);

/// The same of products with each type that has kernels.
std::string self_test_of_types(Backend& backend);

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
