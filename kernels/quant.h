// One row of traits per stored type.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/quant_blocks.h"
#include "tinyllm/dtype.h"

namespace tinyllm {

/// What the rest of the library knows of a type. One row per type, in kernels/quant.cpp.
struct TypeTraits {
    DType type;
    std::string_view name;
    std::int64_t block;       // elements per block
    std::size_t block_bytes;  // bytes per block
    /// `n` elements, a multiple of `block`.
    void (*to_f32)(const void* from, float* to, std::int64_t n);
    /// Rounds to nearest; a quantized type by the rule of ggml's ggml_quantize_chunk without an importance
    /// matrix, byte for byte. A block that holds a NaN or an infinity reads as NaN or infinity where it
    /// stood.
    void (*from_f32)(const float* from, void* to, std::int64_t n);
    /// Where in a quantized block its f16 scales begin, and how many there are.
    int scales_at = 0;
    int n_scales = 0;
    /// No element of a quantized block is larger than this times its largest scale.
    int reach = 0;
};

std::span<const TypeTraits> type_table();

/// The row of `type`; a type that is not in the table is a broken invariant.
const TypeTraits& traits(DType type);

/// IEEE half and bfloat16 conversions, round to nearest even, NaN stays NaN.
float f16_to_f32(std::uint16_t h);
std::uint16_t f32_to_f16(float f);
float bf16_to_f32(std::uint16_t b);
std::uint16_t f32_to_bf16(float f);

}  // namespace tinyllm
