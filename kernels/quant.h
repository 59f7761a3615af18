// One row of traits per stored type.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/quant_blocks.h"
#include "tinyllm/dtype.h"

namespace tinyllm {

/// A block of 32 elements of one row in a panel of a quantized type (kernels/packed_type.h).
struct PackedBlock {
    int scales = 0;  // halves
    int bytes = 0;   // of the elements
    bool operator==(const PackedBlock&) const = default;
};

/// What becomes of a type elsewhere.
struct TypeUses {
    /// GGUF's general.file_type of a file that is mostly of it; where llama.cpp has several mixtures of a K
    /// type, the small one.
    std::uint32_t file_type;
    DType packed;            // packed_type() where values may be rounded
    PackedBlock panel = {};  // a quantized type's, where it has panels
    bool as_stored = false;  // a panel's blocks hold the file's bytes in the file's order
    DType fallback;          // ConvertOptions::fallback: for rows that are no multiple of its block
};

/// What the rest of the library knows of a type. One row per type, in kernels/quant.cpp.
struct TypeTraits {
    DType type;
    std::string_view name;
    std::int64_t block;       // elements per block
    std::size_t block_bytes;  // bytes per block
    /// `n` elements, a multiple of `block`.
    void (*to_f32)(const void* from, float* to, std::int64_t n);
    /// Rounds to nearest; a quantized type by the rule of ggml's ggml_quantize_chunk without an importance
    /// matrix, byte for byte (our own types by quant_table.cpp's). A block that holds a NaN or an infinity
    /// reads as NaN or infinity where it stood.
    void (*from_f32)(const float* from, void* to, std::int64_t n);
    TypeUses uses;
    /// Where in a quantized block its f16 scales begin, and how many there are. (The header of our own types
    /// is no number exactly where it is none as a half.)
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
