// Block formats of quantized weights and one row of traits per type.
//
// The structs are the GGUF format's own (ggml-common.h names them block_q8_0, block_q4_0): bit-compatible, no
// padding.
#pragma once

#include <cstdint>
#include <span>

#include "tinyllm/dtype.h"

namespace tinyllm {

constexpr int kQuantBlock = 32;

/// x[i] = d * q[i]
struct BlockQ8_0 {
    std::uint16_t d;  // f16
    std::int8_t q[kQuantBlock];
};
static_assert(sizeof(BlockQ8_0) == 34);

/// x[i] = d * ((q[i] & 15) - 8), x[i + 16] = d * ((q[i] >> 4) - 8) for i < 16
struct BlockQ4_0 {
    std::uint16_t d;  // f16
    std::uint8_t q[kQuantBlock / 2];
};
static_assert(sizeof(BlockQ4_0) == 18);

/// What the rest of the library knows of a type. One row per type, in kernels/quant.cpp.
struct TypeTraits {
    DType type;
    std::string_view name;
    std::int64_t block;       // elements per block
    std::size_t block_bytes;  // bytes per block
    /// `n` elements, a multiple of `block`.
    void (*to_f32)(const void* from, float* to, std::int64_t n);
    /// Rounds to nearest; for q8_0 and q4_0 the rule of ggml's quantize_row_*_ref, byte for byte.
    void (*from_f32)(const float* from, void* to, std::int64_t n);
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
