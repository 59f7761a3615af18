// Rows of the stored types that have no panels, in the type of panels they get (kernels/packed_type.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

namespace tinyllm::cpu {

/// The type of the panels for `part`: packed_type, or f32 where a scale is so large that an element may lie
/// beyond the half's range.
DType panel_type(const RawMatrix& part, Precision precision);

/// One row of `cols` elements, stored as `from` at `row`, as the blocks of `to` at `out`; `values` holds
/// `cols`.
void recode_row(DType from, const std::byte* row, std::int64_t cols, DType to, float* values, std::byte* out);

}  // namespace tinyllm::cpu
