#include "kernels/packed_type.h"

#include <cassert>

#include "kernels/quant_blocks.h"

namespace tinyllm {

DType packed_type(DType stored, Precision precision) {
    const bool exact = precision == Precision::exact;
    switch (stored) {
        case DType::q4_k:
            return exact ? DType::f32 : DType::q4_1;
        case DType::q5_k:
            return exact ? DType::f32 : DType::q5_1;
        case DType::q3_k:
        case DType::q6_k:
            return exact ? DType::f32 : DType::q6_k;
        case DType::q2_k:
            return exact ? DType::f32 : DType::q8_0;
        default:
            return stored;
    }
}

PackedBlock packed_block(DType type) {
    switch (type) {
        case DType::q8_0:
            return {1, 32};
        case DType::q5_0:
            return {1, 20};
        case DType::q4_1:
            return {2, 16};
        case DType::q5_1:
            return {2, 20};
        case DType::q6_k:
            return {2, 24};
        case DType::q4_0:
        case DType::iq4_nl:
            return {1, 16};
        default:
            assert(!"type without panels");
            return {0, 0};
    }
}

std::int64_t packed_row_bytes(DType type, std::int64_t cols) {
    if (dtype_block(type) == 1) return static_cast<std::int64_t>(row_bytes(type, cols));
    const PackedBlock block = packed_block(type);
    return cols / kQuantBlock * (2 * block.scales + block.bytes);
}

}  // namespace tinyllm
