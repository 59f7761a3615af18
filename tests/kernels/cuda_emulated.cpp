#include "kernels/cuda_emulated.h"

#include <atomic>
#include <new>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda_memory.h"

namespace tinyllm::test {
namespace {
std::atomic<std::size_t> bytes_held = 0;
}

std::size_t cuda_emulated_bytes() {
    return bytes_held;
}

namespace {

using cuda_emulated::Graph;
using cuda_emulated::Launch;
using cuda_emulated::LaunchList;

void run(const Launch& launch) {
    reinterpret_cast<void (*)(const Launch&)>(const_cast<void*>(launch.kernel))(launch);
}

/// Has arguments of its own: one that differs in a later step, but not in the device's memory, is not seen.
struct EmulatedGraph final : Graph {
    explicit EmulatedGraph(const LaunchList& list) : launches(list) {}
    LaunchList launches;
};

/// The host's memory as the device's; the stream is the order of the calls.
class EmulatedRuntime final : public cuda_emulated::Runtime {
  public:
    EmulatedRuntime(int code_capability, DeviceCalls* calls)
        : code_capability_(code_capability), calls_(calls ? *calls : own_) {}
    std::string description() const override { return "emulation on the CPU"; }
    int multiprocessors() const override { return 2; }
    int code_capability() const override { return code_capability_; }
    void* native_stream() const override { return nullptr; }
    void launch(const Launch& launch) override {
        ++calls_.launches;
        run(launch);
    }
    std::unique_ptr<Graph> instantiate(const LaunchList& launches) override {
        ++calls_.graphs;
        return std::make_unique<EmulatedGraph>(launches);
    }
    void replay(const Graph& graph) override {
        ++calls_.replays;
        static_cast<const EmulatedGraph&>(graph).launches.each(run);
    }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
        ++calls_.allocations;
        constexpr std::align_val_t kAlign{256};
        void* memory = ::operator new(bytes ? bytes : 1, kAlign);
        std::memset(memory, 0, bytes);
        bytes_held += bytes;
        return {static_cast<std::byte*>(memory), [bytes, releases = calls_.releases](std::byte* p) {
                    bytes_held -= bytes;
                    ++*releases;
                    ::operator delete(p, kAlign);
                }};
    }
    void upload(void* to, const void* from, std::size_t bytes) override {
        ++calls_.uploads;
        std::memcpy(to, from, bytes);
    }
    void download(void* to, const void* from, std::size_t bytes) override {
        ++calls_.waits;
        calls_.downloaded += bytes;
        if (bytes > 0) std::memcpy(to, from, bytes);
    }

  private:
    int code_capability_;
    DeviceCalls own_;
    DeviceCalls& calls_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_emulated_backend(Precision precision, int code_capability,
                                                    DeviceCalls* calls) {
    auto backend = std::make_unique<cuda_emulated::CudaBackend>(
        std::make_unique<EmulatedRuntime>(code_capability, calls), precision);
    backend->use_cublaslt(cublaslt_choice());
    return backend;
}

}  // namespace tinyllm::test
