// Holds cublaslt_abi.h to the toolkit's header; cmake/Cuda.cmake leaves this out where there is none.
#include "kernels/cuda/cublaslt_abi.h"

#include <cublasLt.h>

#if CUBLAS_VER_MAJOR >= 11
namespace tinyllm::cublaslt {
namespace {

static_assert(kSuccess == static_cast<int>(CUBLAS_STATUS_SUCCESS) &&
              kNotSupported == static_cast<int>(CUBLAS_STATUS_NOT_SUPPORTED));
static_assert(kReal32 == static_cast<int>(CUDA_R_32F) && kReal16 == static_cast<int>(CUDA_R_16F) &&
              kRealBf16 == static_cast<int>(CUDA_R_16BF) && kCompute32 == CUBLAS_COMPUTE_32F &&
              kAsItIs == CUBLAS_OP_N && kTransposed == CUBLAS_OP_T);
static_assert(kTransposeA == static_cast<int>(CUBLASLT_MATMUL_DESC_TRANSA) &&
              kTransposeB == static_cast<int>(CUBLASLT_MATMUL_DESC_TRANSB));
static_assert(kMaxWorkspace == static_cast<int>(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) &&
              kReductionMask == static_cast<int>(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) &&
              kAlignmentA == static_cast<int>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES) &&
              kAlignmentB == static_cast<int>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES) &&
              kAlignmentC == static_cast<int>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES) &&
              kAlignmentD == static_cast<int>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES) &&
              kNoReduction == CUBLASLT_REDUCTION_SCHEME_NONE);
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t) &&
              sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t) &&
              offsetof(Heuristic, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
              offsetof(Heuristic, status) == offsetof(cublasLtMatmulHeuristicResult_t, state) &&
              offsetof(Heuristic, waves) == offsetof(cublasLtMatmulHeuristicResult_t, wavesCount));

}  // namespace
}  // namespace tinyllm::cublaslt
#endif
