#include "tools/predict/shares.h"

namespace tinyllm::predict {

Shares default_shares(DType held) {
    switch (held) {
        case DType::f32:
        case DType::f16:
        case DType::bf16:
            return {.read = 0.95, .stream = 0.85, .product = 0.78, .unpack = 0.5};
        case DType::q8_0:
            return {.read = 0.95, .stream = 0.65, .product = 0.75, .unpack = 1};
        default:
            return {.read = 0.95, .stream = 0.62, .product = 0.73, .unpack = 1.5};
    }
}

Overheads default_overheads() {
    return {.attention = 0.52,
            .attention_call = 0.7e-6,
            .op_seconds = 0.5e-6,
            .step_seconds = 70e-6,
            .shared_head = 0.75,
            .waiting = 0.25,
            .load_share = 0.09,
            .load_token_seconds = 0.26e-6};
}

}  // namespace tinyllm::predict
