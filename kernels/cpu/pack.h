// Weights from a file's rows into the panels that the kernels read (kernel_table.h), and single rows back
// out.
#pragma once

#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"

namespace tinyllm::cpu {

/// What stands in CpuBackend::layout(): one more whenever the bytes of a panel mean something else, or a type
/// gets another panel. tests/kernels/panel_bytes_test.cpp notices.
constexpr int kPanelsVersion = 1;

/// Bytes of one panel of `lanes` rows, of a type that has panels.
std::int64_t panel_bytes(DType type, std::int64_t cols, int lanes);

/// Bytes of `rows` rows in panels; 0 for a type without them, or whose blocks do not divide `cols`.
std::size_t panels_bytes(DType type, std::int64_t rows, std::int64_t cols, int lanes);

/// A strip as the kernels see it.
Panels panels_of(const Strip& strip, std::int64_t cols, int lanes);

/// Backend::pack. A type without panels is stored in that of packed_type, or as f32 where its scales are too
/// large for that (scales_fit).
Matrix pack_panels(std::span<const RawMatrix> parts, PackWatch* watch, const KernelTable& table,
                   Precision precision, ThreadPool& pool, Arena& arena);

/// Row `row` of all strips as f32, (cols), times `scale`, added to what is there if `add`.
void read_packed_row(const Matrix& matrix, const KernelTable& table, std::int64_t row, float scale, bool add,
                     Scratch& scratch, float* to);

}  // namespace tinyllm::cpu
