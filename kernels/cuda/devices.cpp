// The GPU probe through the CUDA runtime. It creates no context on a device except to ask for its free
// memory.
#include <cuda_runtime_api.h>

#include "tinyllm/gpu.h"

namespace tinyllm {
namespace {

Gpu describe(int device, const cudaDeviceProp& properties) {
    Gpu gpu;
    gpu.name = properties.name;
    gpu.compute_major = properties.major;
    gpu.compute_minor = properties.minor;
    gpu.multiprocessors = properties.multiProcessorCount;
    gpu.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
    gpu.l2_bytes = properties.l2CacheSize;
    gpu.integrated = properties.integrated != 0;
    std::size_t free = 0;
    std::size_t total = 0;
    if (cudaSetDevice(device) == cudaSuccess && cudaMemGetInfo(&free, &total) == cudaSuccess) {
        gpu.free_bytes = static_cast<std::int64_t>(free);
    }
    return gpu;
}

}  // namespace

GpuProbe probe_gpus() {
    GpuProbe probe;
    probe.built_in = true;
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
        probe.status = cudaGetErrorString(error);
        return probe;
    }
    for (int device = 0; device < count; ++device) {
        cudaDeviceProp properties;
        if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) {
            probe.status = "device " + std::to_string(device) + ": " + cudaGetErrorString(error);
            return probe;
        }
        probe.gpus.push_back(describe(device, properties));
    }
    probe.status = std::to_string(count) + (count == 1 ? " device" : " devices") +
                   "; models run on the first where --device is auto or cuda";
    return probe;
}

}  // namespace tinyllm
