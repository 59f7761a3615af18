#include "kernels/cuda_memory.h"

#include <cstdlib>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/held_type.h"

namespace tinyllm {

std::int64_t cuda_matrix_bytes(DType stored, std::int64_t rows, std::int64_t cols, Precision precision) {
    return cuda::sections_of(static_cast<int>(cuda::held_type(stored, precision)), rows, cols).bytes;
}

std::string cublaslt_choice() {
    const char* value = std::getenv("TINYLLM_CUBLASLT");
    return value && std::string(value) != "0" ? value : "";
}

CudaBuffers cuda_buffers(const CudaStep& step) {
    constexpr std::int64_t kFloat = sizeof(float);
    const std::int64_t logits = std::min(step.logits, cuda::logits_rows(step.vocab));
    CudaBuffers buffers;
    buffers.device = kFloat * (std::max(step.rows, logits) * step.dim + step.rows * step.products +
                               logits * step.vocab + 2 * step.logits);
    // For tensor cores, in their 16 bits and a scale a row; which GPUs have them is not asked.
    if (step.precision == Precision::fast)
        buffers.device += step.rows * (2 * cuda::rounded_pitch(step.inner) + kFloat);
    if (step.precision == Precision::fast && step.library) {
        const std::int64_t widest = std::max({step.dim, step.inner, step.products});
        buffers.device +=
            static_cast<std::int64_t>(cuda::kLibraryWorkspace) +
            kFloat * std::min(cuda::kLibraryFloats, std::max(step.rows * widest, logits * step.vocab));
    }
    const std::int64_t splits = cuda::key_splits(step.positions);
    if (step.precision == Precision::fast && splits > 1)
        buffers.device += kFloat * cuda::split_floats(splits, 1, step.heads, step.head_dim);
    // Of rows' places at most; in the end each has held the largest.
    buffers.device +=
        std::int64_t{cuda::kTables} * cuda::table_bytes(step.rows * std::int64_t{sizeof(cuda::RowPlace)});
    buffers.device +=
        static_cast<std::int64_t>(cuda::kStepTables) +
        8 * (cuda::top_candidates(step.vocab, kMostTop) + kMostTop + 1 + 2 * cuda::top_slices(step.vocab));
    buffers.pinned = 2 * cuda::kPinnedHalf;
    return buffers;
}

}  // namespace tinyllm
