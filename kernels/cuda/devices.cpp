// The GPU probe through the CUDA runtime. A context is created on the first device alone, which models run
// on, to ask for its free memory: on each it would take hundreds of megabytes.
#include <cuda_runtime_api.h>

#include "tinyllm/gpu.h"

namespace tinyllm {
namespace {

Gpu describe(const cudaDeviceProp& properties) {
    Gpu gpu;
    gpu.name = properties.name;
    gpu.compute_major = properties.major;
    gpu.compute_minor = properties.minor;
    gpu.multiprocessors = properties.multiProcessorCount;
    gpu.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
    gpu.l2_bytes = properties.l2CacheSize;
    gpu.integrated = properties.integrated != 0;
    return gpu;
}

/// 0: not known. The caller's device stays what it was.
std::int64_t free_bytes(int device) {
    int callers = 0;
    std::size_t free = 0, total = 0;
    if (cudaGetDevice(&callers) != cudaSuccess || cudaSetDevice(device) != cudaSuccess ||
        cudaMemGetInfo(&free, &total) != cudaSuccess) {
        free = 0;
        (void)cudaGetLastError();  // it would be taken for that of a later call
    }
    (void)cudaSetDevice(callers);
    return static_cast<std::int64_t>(free);
}

}  // namespace

GpuProbe probe_gpus() {
    GpuProbe probe;
    probe.built_in = true;
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
        probe.status = cudaGetErrorString(error);
        (void)cudaGetLastError();
        return probe;
    }
    for (int device = 0; device < count; ++device) {
        cudaDeviceProp properties;
        if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) {
            probe.status = "device " + std::to_string(device) + ": " + cudaGetErrorString(error);
            (void)cudaGetLastError();
            return probe;
        }
        probe.gpus.push_back(describe(properties));
    }
    if (!probe.gpus.empty()) probe.gpus[0].free_bytes = free_bytes(0);
    probe.status = std::to_string(count) + (count == 1 ? " device" : " devices") +
                   "; models run on the first where --device is auto or cuda";
    return probe;
}

}  // namespace tinyllm
