#include "tools/predict/shares.h"

namespace tinyllm::predict {

Shares default_shares(DType held) {
    switch (held) {
        case DType::f32:
        case DType::f16:
        case DType::bf16:
            return {.read = 0.95, .stream = 1.4, .product = 0.77, .unpack = 0.5};
        case DType::q8_0:
            return {.read = 0.98, .stream = 0.79, .product = 0.75, .unpack = 1.5};
        default:
            return {.read = 0.98, .stream = 0.70, .product = 0.73, .unpack = 1.5};
    }
}

Overheads default_overheads() {
    return {.attention = 0.5,
            .op_seconds = 0.7e-6,
            .step_seconds = 70e-6,
            .waiting = 0.06,
            .load_share = 0.09,
            .load_token_seconds = 0.26e-6};
}

}  // namespace tinyllm::predict
