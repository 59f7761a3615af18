// The CUDA backend with its kernels run by loops on the CPU (kernels/cuda/device/block_emulated.h).
#pragma once

#include "kernels/backend.h"

namespace tinyllm::test {

constexpr const char* kCudaEmulated = "cuda_emulated";

/// As on a GPU whose code was compiled for a compute capability, times ten: from 75 on it has tensor cores.
std::unique_ptr<Backend> make_cuda_emulated_backend(Precision precision, int code_capability = 80);

/// Device memory that all such backends hold.
std::size_t cuda_emulated_bytes();

}  // namespace tinyllm::test
