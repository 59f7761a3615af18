// One tensor from its stored type, orientation and row order to those of another file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/tensor_source.h"

namespace tinyllm {

struct RecodeRequest {
    const TensorView* tensor = nullptr;
    DType to = DType::f32;
    bool transposed = false;  // stored (cols, rows); plain types only
    std::vector<std::int32_t> rows =
        {};  // written row r is stored row rows[r]; of a vector: elements. Empty: as stored
    const float* importance = nullptr;  // (cols), see quant_weighted.h; null: every column matters alike
};

struct Recoded {
    std::vector<std::byte> data;
    double rms_error = 0;  // rms(x - stored x) / rms(x)
    double weighted_error =
        0;  // the same with each square times its column's importance; 0 without importance
};

/// Uses every core this process may run on; the result does not depend on their number.
/// Blocks of an unchanged type are copied as they are. Throws Error(corrupt) naming tensor and index for NaN
/// or infinity, Error(unsupported) for a value too large for the type asked for.
Recoded recode(const RecodeRequest& request);

}  // namespace tinyllm
