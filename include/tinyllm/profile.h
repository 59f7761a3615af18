// What the stages of a model took, for ModelOptions::profile.
#pragma once

#include <cstdint>
#include <string>

#include "tinyllm/dtype.h"
#include "tinyllm/export.h"

namespace tinyllm {

/// What is multiplied: floats, 8-bit integers as quantized weights are, or bf16, alone or in pairs that stand
/// for floats.
enum class Products { f32, int8, bf16 };

/// "int8"
TINYLLM_API const char* products_name(Products products);

/// The calls of one op with one kind of weight, over all layers. Rest and waiting of a step are in no stage.
struct StageUse {
    std::string stage;    ///< "attention output"; of an encoder-decoder "encoder …" and "decoder …"
    std::string op;       ///< of the backend: "linear"; a norm of no kind is a "copy"
    std::string weights;  ///< GGUF names, '#' for the layer, joined by '+'; empty: none
    DType weight_type = DType::f32;  ///< as held in memory; of several the largest part's
    Products products = Products::f32;
    std::int64_t calls = 0;
    double ns = 0;
    double weight_bytes = 0;   ///< matrices, read once a call; of tables the rows looked up
    double cache_bytes = 0;    ///< keys and values written, or read once a call
    double multiply_adds = 0;  ///< of matrix products and attention; norms and activations are not counted
};

}  // namespace tinyllm
