// Products of many rows with plain weights by NVIDIA's cuBLASLt, where a user asks for it. The library is
// looked for when it is asked for: nothing is linked, and a program with this in it starts without it.
//
// How it adds a row's products may depend on how many rows share the call, which kernels/backend.h forbids
// otherwise: NVIDIA promises equal bits for equal calls on one kind of GPU, and nothing for calls of other
// sizes. So it is nobody's default, and never `exact`'s.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "kernels/cuda/cublaslt_abi.h"
#include "kernels/cuda/layout.h"
#include "kernels/cuda/runtime.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// out (n, rows) = x (n, columns) w^T, or += that; both factors of one type, rows `pitch` elements apart.
struct LibraryProduct {
    int type = kF32;  // kF32, kF16 or kBf16
    bool accumulate = false;
    std::int64_t n = 0, rows = 0, columns = 0;
    const void* x = nullptr;
    const void* w = nullptr;
    float* out = nullptr;
    std::int64_t x_pitch = 0, w_pitch = 0, out_pitch = 0;
};

class CublasLt {
  public:
    /// `choice` as cublaslt_choice() has it, and not empty. Throws Error(device), saying why, where the
    /// library cannot be used. `runtime` outlives it.
    CublasLt(Runtime& runtime, const std::string& choice);
    ~CublasLt();
    CublasLt(const CublasLt&) = delete;
    CublasLt& operator=(const CublasLt&) = delete;

    /// "cuBLASLt 13.1.0"
    const std::string& name() const { return name_; }
    /// Queues it behind all that the runtime was told. False: nothing was done, for this shape or, once
    /// failure() says why, for any.
    bool multiply(const LibraryProduct& product);
    /// Of a function that should not have failed; empty: none has.
    const std::string& failure() const { return failure_; }

  private:
    /// A status that is no success ends the use of the library.
    bool check(int status, const char* function);
    void close();

    /// What an algorithm is chosen for: type, n, rows, columns, pitches, alignments.
    using Shape = std::tuple<int, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                             std::int64_t, std::uint32_t, std::uint32_t, std::uint32_t>;
    class Plan;
    const Plan* plan_for(const LibraryProduct& product);

    Runtime& runtime_;
    cublaslt::Functions call_;
    std::string name_, failure_;
    void* handle_ = nullptr;
    void* desc_ = nullptr;
    void* preference_ = nullptr;
    std::size_t workspace_bytes_ = 0;
    std::shared_ptr<std::byte> workspace_;
    std::map<Shape, std::unique_ptr<Plan>> plans_;
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
