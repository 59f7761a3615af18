// Rows of quantized types as the blocks that panels are made of: kernels/packed_type.h says of which type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace tinyllm::cpu {

/// Whether rows of type `from` can become panels of `to` at all is a question of their largest scale.
bool needs_scales(DType from, DType to);

/// The bits of the largest magnitude among the scales of whole blocks; they grow with it.
int largest_scale(DType from, std::span<const std::byte> blocks);

/// Whether no product of scales and no element lies beyond the half's range.
bool scales_fit(DType from, int largest_scale);

/// Whether rows of type `from` must go through recode_row to become panels of `to`.
bool needs_recoding(DType from, DType to);

/// One row of `cols` elements, stored as `from` at `row`, as plain or packed blocks of `to` at `out`; a
/// packed block is its scales, then the low nibbles as in q4_0, then the higher bits as isa/forms.h has them.
/// `values` holds `cols`.
void recode_row(DType from, const std::byte* row, std::int64_t cols, DType to, float* values, std::byte* out);

}  // namespace tinyllm::cpu
