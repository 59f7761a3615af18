// The CUDA backend with its kernels run by loops on the CPU (kernels/cuda/device/block_emulated.h).
#pragma once

#include <atomic>
#include <memory>

#include "kernels/backend.h"

namespace tinyllm::test {

constexpr const char* kCudaEmulated = "cuda_emulated";

/// What the backend asked its device for.
struct DeviceCalls {
    int allocations = 0, uploads = 0, waits = 0;
    int launches = 0, graphs = 0, replays = 0;
    std::size_t downloaded = 0;  // bytes
    std::shared_ptr<std::atomic<int>> releases = std::make_shared<std::atomic<int>>(0);
};

constexpr int kEmulatedCapability = 80;

/// As on a GPU whose code was compiled for a compute capability, times ten: from 75 on it has tensor cores.
/// `calls`, if given, outlives the backend.
std::unique_ptr<Backend> make_cuda_emulated_backend(Precision precision,
                                                    int code_capability = kEmulatedCapability,
                                                    DeviceCalls* calls = nullptr);

/// Device memory that all such backends hold.
std::size_t cuda_emulated_bytes();

}  // namespace tinyllm::test
