// What the CUDA backend holds for a model and a step, by arithmetic alone: no device is asked, and builds
// without a CUDA toolkit tell it too (kernels/cuda/memory.cpp).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"

namespace tinyllm {

/// Device memory of a matrix of rows x cols, stored as `stored`, that is packed by itself, bytes. Parts that
/// are stacked share their padding: together they take up to 1 KiB a part less.
std::int64_t cuda_matrix_bytes(DType stored, std::int64_t rows, std::int64_t cols, Precision precision);

/// The largest step of a session, as far as the backend's buffers follow from it.
struct CudaStep {
    std::int64_t rows = 0;      // of x
    std::int64_t dim = 0;       // widest x that is normed
    std::int64_t inner = 0;     // widest x that is multiplied
    std::int64_t products = 0;  // widest of what an op writes and takes apart: q, k and v; gate and up
    std::int64_t vocab = 0;     // of the head
    std::int64_t logits = 1;    // rows of x that the head is asked for at a time
    std::int64_t heads = 0, head_dim = 0;
    std::int64_t positions = 0;  // that a generated token sees at most
    Precision precision = Precision::fast;
    bool library = false;  // cuBLASLt is asked for; its own kernels are not counted
};

struct CudaBuffers {
    std::int64_t device = 0;  // in device memory
    std::int64_t pinned = 0;  // of the host's memory
};

/// The backend's own buffers once it has seen `step` and generated a token behind it.
CudaBuffers cuda_buffers(const CudaStep& step);

/// Whether cuBLASLt is to multiply, by TINYLLM_CUBLASLT: empty where that is unset or "0"; "1" for the
/// library by its names, anything else is its path.
std::string cublaslt_choice();

/// Allowance for what the driver and the runtime take of a process's memory, context and loaded kernels. An
/// assumption: it was never measured.
constexpr std::int64_t kCudaContextBytes = std::int64_t{192} << 20;

}  // namespace tinyllm
