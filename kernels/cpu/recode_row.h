// Rows of quantized types as the blocks that panels are made of: kernels/packed_type.h says of which type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

namespace tinyllm::cpu {

/// The type of the panels for `part`: packed_type, or f32 where a scale is so large that a product of scales
/// or an element may lie beyond the half's range.
DType panel_type(const RawMatrix& part, Precision precision);

/// Whether rows of type `from` must go through recode_row to become panels of `to`.
bool needs_recoding(DType from, DType to);

/// One row of `cols` elements, stored as `from` at `row`, as plain or packed blocks of `to` at `out`; a
/// packed block is its scales, then the low nibbles as in q4_0, then the higher bits as isa/forms.h has them.
/// `values` holds `cols`.
void recode_row(DType from, const std::byte* row, std::int64_t cols, DType to, float* values, std::byte* out);

}  // namespace tinyllm::cpu
