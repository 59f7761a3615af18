#include "kernels/cuda_emulated.h"

#include <atomic>
#include <new>

#include "kernels/cuda/cuda_backend.h"

namespace tinyllm::test {
namespace {
std::atomic<std::size_t> bytes_held = 0;
}

std::size_t cuda_emulated_bytes() {
    return bytes_held;
}

namespace {

/// The host's memory as the device's; the stream is the order of the calls.
class EmulatedRuntime final : public cuda_emulated::Runtime {
  public:
    explicit EmulatedRuntime(int code_capability) : code_capability_(code_capability) {}
    std::string description() const override { return "emulation on the CPU"; }
    int multiprocessors() const override { return 2; }
    int code_capability() const override { return code_capability_; }
    void* stream() const override { return nullptr; }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
        constexpr std::align_val_t kAlign{256};
        void* memory = ::operator new(bytes ? bytes : 1, kAlign);
        std::memset(memory, 0, bytes);
        bytes_held += bytes;
        return {static_cast<std::byte*>(memory), [bytes](std::byte* p) {
                    bytes_held -= bytes;
                    ::operator delete(p, kAlign);
                }};
    }
    void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
    void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }

  private:
    int code_capability_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_emulated_backend(Precision precision, int code_capability) {
    return std::make_unique<cuda_emulated::CudaBackend>(std::make_unique<EmulatedRuntime>(code_capability),
                                                        precision);
}

}  // namespace tinyllm::test
