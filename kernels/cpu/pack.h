// Weights from a file's rows into the panels that the kernels read (kernel_table.h), and single rows back
// out.
#pragma once

#include <functional>
#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"

namespace tinyllm::cpu {

/// Bytes of one panel of `lanes` rows, of a type that has panels.
std::int64_t panel_bytes(DType type, std::int64_t cols, int lanes);

/// A strip as the kernels see it.
Panels panels_of(const Strip& strip, std::int64_t cols, int lanes);

/// A type without panels is stored in that of panel_type (recode_row.h).
Matrix pack_panels(std::span<const RawMatrix> parts, const std::function<void(std::size_t)>& done,
                   const KernelTable& table, Precision precision, ThreadPool& pool, Arena& arena);

/// Row `row` of all strips as f32, (cols), times `scale`, added to what is there if `add`.
void read_packed_row(const Matrix& matrix, const KernelTable& table, std::int64_t row, float scale, bool add,
                     Scratch& scratch, float* to);

}  // namespace tinyllm::cpu
