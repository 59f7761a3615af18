// Quantizing where some inputs matter more than others.
#pragma once

#include <cstdint>

#include "tinyllm/dtype.h"

namespace tinyllm {

/// Whether an importance matrix changes the bytes of `type`: all quantized types but q8_0.
bool has_weighted_quantizer(DType type);

/// One row of n elements, a multiple of the block, to the blocks at `to`, so chosen that the squared error
/// weighed by importance[i] >= 0 of column i (the mean square of what it is multiplied with) is small. By the
/// rule of ggml's ggml_quantize_chunk with an importance matrix, byte for byte; our own types by
/// quant_table.cpp's. A type without a weighted quantizer is converted as ever.
void weighted_row_from_f32(DType type, const float* from, const float* importance, void* to, std::int64_t n);

}  // namespace tinyllm
