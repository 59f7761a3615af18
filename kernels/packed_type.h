// What the CPU backend makes of stored weights at load.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/quant.h"

namespace tinyllm {

/// The type of the panels for weights stored as `stored`. The K types' integer scales are multiplied out to a
/// half for each sub-block: q4_k becomes q4_1, q5_k q5_1, q3_k and q6_k the panels called q6_k, all of the
/// levels that the file has, their scales rounded to the half's eleven bits. q2_k is rounded to q8_0, which
/// adds 2.9e-5 of the weights' mean square to an error of its own a thousand times that. Precision::exact
/// keeps the values themselves: K types become f32.
DType packed_type(DType stored, Precision precision);

/// Of a quantized type that has panels.
PackedBlock packed_block(DType type);

/// Bytes of one row in panels of `type`, padding left out.
std::int64_t packed_row_bytes(DType type, std::int64_t cols);

}  // namespace tinyllm
