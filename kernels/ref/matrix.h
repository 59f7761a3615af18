// The reference's packed matrix: rows as the file stores them, in the order asked for.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "kernels/backend.h"

namespace tinyllm::ref {

/// Zeroed, 64-byte aligned. Throws Error(out_of_memory).
std::shared_ptr<std::byte> allocate(std::size_t bytes);

Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch);

/// Row `row` of all strips as f32, (cols).
void read_row(const Matrix& matrix, std::int64_t row, float* to);

}  // namespace tinyllm::ref
