// What is used of cuBLASLt's C interface, as NVIDIA's documentation of cuBLAS has it for CUDA 11 to 13. Own
// declarations, since the library is looked for at run time and no build needs its header;
// cublaslt_header.cpp holds them to the header where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tinyllm::cublaslt {

/// cublasStatus_t
enum Status : int { kSuccess = 0, kNotSupported = 15 };
/// cudaDataType_t
enum DataType : int { kReal32 = 0, kReal16 = 2, kRealBf16 = 14 };
/// cublasComputeType_t: f32 throughout; TF32 would be another.
constexpr int kCompute32 = 68;
/// cublasOperation_t
constexpr std::int32_t kAsItIs = 0, kTransposed = 1;
/// cublasLtMatmulDescAttributes_t; int32_t each
enum DescAttribute : int { kTransposeA = 3, kTransposeB = 4 };
/// cublasLtMatmulPreferenceAttributes_t; uint32_t each but the workspace's, which is a uint64_t
enum Preference : int {
    kMaxWorkspace = 1,
    kReductionMask = 3,
    kAlignmentA = 5,
    kAlignmentB = 6,
    kAlignmentC = 7,
    kAlignmentD = 8,
};
constexpr std::uint32_t kNoReduction = 0;  // sums in one piece: no split of the columns

struct Algorithm {
    std::uint64_t data[8];
};
struct Heuristic {
    Algorithm algorithm;
    std::size_t workspace;
    int status;
    float waves;
    int reserved[4];
};

/// Matrices are column-major. D (m, n) = alpha op(A) op(B) + beta C; alpha and beta are the host's.
struct Functions {
    std::size_t (*version)() = nullptr;
    int (*create)(void** handle) = nullptr;
    int (*destroy)(void* handle) = nullptr;
    int (*desc_create)(void** desc, int compute, int scale_type) = nullptr;
    int (*desc_destroy)(void* desc) = nullptr;
    int (*desc_set)(void* desc, int attribute, const void* value, std::size_t bytes) = nullptr;
    int (*layout_create)(void** layout, int type, std::uint64_t rows, std::uint64_t cols,
                         std::int64_t ld) = nullptr;
    int (*layout_destroy)(void* layout) = nullptr;
    int (*preference_create)(void** preference) = nullptr;
    int (*preference_destroy)(void* preference) = nullptr;
    int (*preference_set)(void* preference, int attribute, const void* value, std::size_t bytes) = nullptr;
    int (*heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference,
                     int wanted, Heuristic* results, int* found) = nullptr;
    int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b,
                  void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                  const Algorithm* algorithm, void* workspace, std::size_t bytes, void* stream) = nullptr;
};

}  // namespace tinyllm::cublaslt
