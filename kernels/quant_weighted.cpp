#include "kernels/quant_weighted.h"

#include "kernels/quant_convert.h"

namespace tinyllm {
namespace {

WeightedFromF32 weighted(DType type) {
    switch (type) {
        case DType::q4_0:
            return kWeightedQ4_0;
        case DType::q4_1:
            return kWeightedQ4_1;
        case DType::q5_0:
            return kWeightedQ5_0;
        case DType::q5_1:
            return kWeightedQ5_1;
        case DType::iq4_nl:
            return kWeightedIq4_NL;
        case DType::t3_64:
            return kWeightedT3_64;
        case DType::t4_64:
            return kWeightedT4_64;
        case DType::q2_k:
            return kWeightedQ2_K;
        case DType::q3_k:
            return kWeightedQ3_K;
        case DType::q4_k:
            return kWeightedQ4_K;
        case DType::q5_k:
            return kWeightedQ5_K;
        case DType::q6_k:
            return kWeightedQ6_K;
        default:
            return nullptr;
    }
}

}  // namespace

bool has_weighted_quantizer(DType type) {
    return weighted(type) != nullptr;
}

void weighted_row_from_f32(DType type, const float* from, const float* importance, void* to, std::int64_t n) {
    if (const WeightedFromF32 convert = weighted(type)) {
        convert(from, importance, to, n);
    } else {
        traits(type).from_f32(from, to, n);
    }
}

}  // namespace tinyllm
