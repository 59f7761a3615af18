// Memory, order and launches of one device, as the backend needs them. The product's stands on the CUDA
// runtime (cuda_runtime.cpp), the tests' emulation on the host's memory. Not safe for several threads at
// once, but for allocate() and the release of what it gave.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/cuda/launch_list.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Launches that the device has been told of as a whole.
class Graph {
  public:
    virtual ~Graph() = default;
};

class Runtime {
  public:
    virtual ~Runtime() = default;
    virtual std::string description() const = 0;
    virtual int multiprocessors() const = 0;
    /// The compute capability, times ten, that the device's code was compiled for.
    virtual int code_capability() const = 0;
    /// The device's own stream, for a library that queues work on it; null: the default one.
    virtual void* native_stream() const = 0;
    /// Queues it; download() tells of what goes wrong. Everything below but allocate() keeps its order.
    virtual void launch(const Launch& launch) = 0;
    /// The launches, each behind the one before it, with copies of their arguments; null where the device
    /// takes none.
    virtual std::unique_ptr<Graph> instantiate(const LaunchList& launches) = 0;
    /// Queues a graph that this runtime made.
    virtual void replay(const Graph& graph) = 0;

    /// Zeroed device memory, 256-byte aligned. Throws Error(out_of_memory), or Error(would_not_fit) where the
    /// device shares the host's memory and the host has not so much to give.
    virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
    /// Host to device; `from` is the caller's again on return, the device may still be at work.
    virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
    /// Device to host; waits for all that was queued. Throws Error(device) where something of it failed.
    virtual void download(void* to, const void* from, std::size_t bytes) = 0;
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
