#include "kernels/packed_type.h"

namespace tinyllm {

DType packed_type(DType stored, Precision precision) {
    switch (stored) {
        case DType::f32:
        case DType::f16:
        case DType::bf16:
        case DType::q8_0:
        case DType::q4_0:
            return stored;
        case DType::q5_0:
        case DType::iq4_nl:
            return DType::q8_0;
        case DType::q6_k:
            return precision == Precision::exact ? DType::f32 : DType::f16;
        case DType::q4_1:
        case DType::q5_1:
        case DType::q2_k:
        case DType::q3_k:
        case DType::q4_k:
        case DType::q5_k:
            return precision == Precision::exact ? DType::f32 : DType::q8_0;
    }
    return DType::f32;
}

}  // namespace tinyllm
