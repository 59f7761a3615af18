// The device's memory and its one stream, by the CUDA runtime, which is linked statically and asks for the
// driver when it is first called: a program with this in it starts on machines without one.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/self_test.h"
#include "kernels/cuda/tile_test.h"
#include "kernels/cuda_memory.h"
#include "tinyllm/error.h"
#include "tinyllm/system.h"

namespace tinyllm {
namespace cuda {
namespace {

[[noreturn]] void fail_device(const std::string& what) {
    throw Error(ErrorKind::device, "device cuda: " + what);
}

void check(cudaError_t error, const char* what) {
    if (error != cudaSuccess) fail_device(std::string(what) + ": " + cudaGetErrorString(error));
}

class CudaGraph final : public Graph {
  public:
    explicit CudaGraph(cudaGraphExec_t exec) : exec_(exec) {}
    ~CudaGraph() override { (void)cudaGraphExecDestroy(exec_); }
    CudaGraph(const CudaGraph&) = delete;
    CudaGraph& operator=(const CudaGraph&) = delete;
    cudaGraphExec_t exec() const { return exec_; }

  private:
    cudaGraphExec_t exec_;
};

dim3 blocks_of(const Launch& launch) {
    return {static_cast<unsigned>(launch.blocks_x), static_cast<unsigned>(launch.blocks_y),
            static_cast<unsigned>(launch.blocks_z)};
}

/// Built node by node rather than captured: what other threads do with the runtime meanwhile is their affair.
cudaError_t build(const LaunchList& launches, cudaGraph_t graph, cudaGraphExec_t& exec) {
    cudaError_t error = cudaSuccess;
    cudaGraphNode_t last = nullptr;
    launches.each([&](const Launch& launch) {
        if (error != cudaSuccess) return;
        void* arguments[] = {const_cast<void*>(launch.arguments)};
        cudaKernelNodeParams node{};
        node.func = const_cast<void*>(launch.kernel);
        node.gridDim = blocks_of(launch);
        node.blockDim = dim3(static_cast<unsigned>(launch.threads));
        node.sharedMemBytes = static_cast<unsigned>(launch.shared_bytes);
        node.kernelParams = arguments;
        const cudaGraphNode_t before = last;
        error = cudaGraphAddKernelNode(&last, graph, &before, before ? 1 : 0, &node);
    });
    if (error != cudaSuccess) return error;
#if CUDART_VERSION >= 12000
    return cudaGraphInstantiate(&exec, graph, 0);
#else
    return cudaGraphInstantiate(&exec, graph, nullptr, nullptr, 0);
#endif
}

class CudaRuntime final : public Runtime {
  public:
    CudaRuntime() {
        (void)cudaGetLastError();  // of who asked before: download() would take it for a launch's
        int count = 0;
        check(cudaGetDeviceCount(&count), "no GPU can be used");
        if (count == 0) fail_device("no GPU");
        check(cudaSetDevice(kDevice), "the first GPU");
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, kDevice), "the first GPU");
        integrated_ = properties.integrated != 0;
        multiprocessors_ = properties.multiProcessorCount;
        description_ = std::string(properties.name) + ", compute capability " +
                       std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                       (integrated_ ? ", shares the host's memory" : "");
        code_capability_ = cuda::code_capability();
        check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
        for (Half& half : halves_) {
            check(cudaHostAlloc(reinterpret_cast<void**>(&half.memory), kHalfBytes, cudaHostAllocDefault),
                  "memory to send from");
            check(cudaEventCreateWithFlags(&half.sent, cudaEventDisableTiming), "an event");
        }
    }
    ~CudaRuntime() override {
        (void)cudaStreamSynchronize(stream_);
        for (Half& half : halves_) {
            (void)cudaEventDestroy(half.sent);
            (void)cudaFreeHost(half.memory);
        }
        (void)cudaStreamDestroy(stream_);
    }

    std::string description() const override { return description_; }
    int multiprocessors() const override { return multiprocessors_; }
    int code_capability() const override { return code_capability_; }
    void* native_stream() const override { return stream_; }

    void launch(const Launch& launch) override {
        void* arguments[] = {const_cast<void*>(launch.arguments)};
        // What goes wrong is asked for in download().
        (void)cudaLaunchKernel(launch.kernel, blocks_of(launch), dim3(static_cast<unsigned>(launch.threads)),
                               arguments, static_cast<std::size_t>(launch.shared_bytes), stream_);
    }
    std::unique_ptr<Graph> instantiate(const LaunchList& launches) override {
        use_device();
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t exec = nullptr;
        cudaError_t error = cudaGraphCreate(&graph, 0);
        if (error == cudaSuccess) {
            error = build(launches, graph, exec);
            (void)cudaGraphDestroy(graph);
        }
        if (error == cudaSuccess) return std::make_unique<CudaGraph>(exec);
        (void)cudaGetLastError();  // the launches will do
        return nullptr;
    }
    void replay(const Graph& graph) override {
        check(cudaGraphLaunch(static_cast<const CudaGraph&>(graph).exec(), stream_), "a graph");
    }

    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
        if (integrated_) leave_some(bytes);
        use_device();
        void* memory = nullptr;
        if (const cudaError_t error = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
            error != cudaSuccess) {
            (void)cudaGetLastError();
            throw Error(error == cudaErrorMemoryAllocation ? ErrorKind::out_of_memory : ErrorKind::device,
                        "device cuda: " + std::to_string(bytes) + " bytes: " + cudaGetErrorString(error));
        }
        const std::shared_ptr<std::byte> owned(static_cast<std::byte*>(memory),
                                               [](std::byte* p) { (void)cudaFree(p); });
        check(cudaMemsetAsync(memory, 0, bytes, stream_), "clearing memory");
        return owned;
    }

    void upload(void* to, const void* from, std::size_t bytes) override {
        use_device();
        const auto* source = static_cast<const std::byte*>(from);
        auto* target = static_cast<std::byte*>(to);
        while (bytes > 0) {
            if (used_ == kHalfBytes) turn();
            const std::size_t part = std::min(bytes, kHalfBytes - used_);
            std::byte* through = halves_[at_].memory + used_;
            std::memcpy(through, source, part);
            check(cudaMemcpyAsync(target, through, part, cudaMemcpyHostToDevice, stream_), "sending");
            used_ += part;
            source += part;
            target += part;
            bytes -= part;
        }
    }

    void download(void* to, const void* from, std::size_t bytes) override {
        use_device();
        check(cudaGetLastError(), "a launch");
        if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "receiving");
        check(cudaStreamSynchronize(stream_), "waiting for the GPU");
    }

  private:
    static constexpr int kDevice = 0;  // CUDA_VISIBLE_DEVICES says which that is
    static constexpr std::size_t kHalfBytes = kPinnedHalf;
    /// Pinned memory that transfers read after upload() has returned.
    struct Half {
        std::byte* memory = nullptr;
        cudaEvent_t sent = nullptr;
    };

    /// A thread's device is its own affair; every session's thread comes here.
    static void use_device() { check(cudaSetDevice(kDevice), "the first GPU"); }

    /// Where host and device share memory, more than there is would not fail but bring the board to its
    /// knees. The system is asked once for every so many bytes, however small their allocations are.
    void leave_some(std::size_t bytes) {
        constexpr std::size_t kLeftOver = std::size_t{128} << 20, kUnseen = std::size_t{16} << 20;
        if (unseen_.fetch_add(bytes) + bytes < kUnseen) return;
        unseen_ = 0;
        const auto available = static_cast<std::size_t>(system_info().memory_available);
        if (available == 0 || bytes + kLeftOver <= available) return;
        throw Error(ErrorKind::would_not_fit,
                    "device cuda: " + std::to_string(bytes >> 20) + " MiB asked for, the board has " +
                        std::to_string(available >> 20) + " MiB available, of which " +
                        std::to_string(kLeftOver >> 20) + " are left alone");
    }

    /// To the other half, once what it holds has been sent; in a step that has been long ago.
    void turn() {
        check(cudaEventRecord(halves_[at_].sent, stream_), "an event");
        at_ = 1 - at_;
        used_ = 0;
        check(cudaEventSynchronize(halves_[at_].sent), "sending");
    }

    std::string description_;
    bool integrated_ = false;
    int multiprocessors_ = 1, code_capability_ = 0;
    cudaStream_t stream_ = nullptr;
    Half halves_[2];
    int at_ = 0;
    std::size_t used_ = 0;
    std::atomic<std::size_t> unseen_ = 0;  // allocated since the system was last asked
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend(const BackendOptions& options) {
    auto runtime = std::make_unique<cuda::CudaRuntime>();
    const int multiprocessors = runtime->multiprocessors();
    auto backend = std::make_unique<cuda::CudaBackend>(std::move(runtime), options.precision);
    std::string wrong = cuda::self_test(*backend);
    if (wrong.empty()) wrong = cuda::self_test_of_types(*backend);
    if (wrong.empty()) wrong = cuda::tile_test(*backend, multiprocessors);
    if (!wrong.empty()) {
        throw Error(ErrorKind::device,
                    "device cuda: " + backend->description() + ": " + wrong + " than the CPU's reference");
    }
    backend->use_cublaslt(cublaslt_choice());
    return backend;
}

bool has_cuda_kernels() {
    return true;
}

}  // namespace tinyllm
