// The table of types, and the conversions of the plain ones, q8_0 and q4_0. All quant*.cpp are built with
// -ffp-contract=off: one fused multiply-add would change stored bytes.
#include "kernels/quant.h"

#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "kernels/quant_convert.h"

namespace tinyllm {

float f16_to_f32(std::uint16_t h) {
    const std::uint32_t sign = (h & 0x8000u) << 16;
    std::uint32_t bits = h & 0x7fffu;
    if (bits >= 0x7c00u) return std::bit_cast<float>(sign | (bits << 13) | 0x7f800000u);
    if (bits >= 0x0400u) return std::bit_cast<float>(sign | ((bits << 13) + (112u << 23)));
    const float tiny = static_cast<float>(bits) * 0x1p-24f;  // subnormal: bits * 2^-24, exact
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(tiny));
}

std::uint16_t f32_to_f16(float f) {
    const auto x = std::bit_cast<std::uint32_t>(f);
    const std::uint32_t sign = (x >> 16) & 0x8000u;
    const std::uint32_t mag = x & 0x7fffffffu;
    std::uint32_t h;
    if (mag > 0x7f800000u) {
        h = 0x7e00u | ((mag >> 13) & 0x3ffu);  // quiet, payload kept
    } else if (mag >= 0x477ff000u) {
        h = 0x7c00u;  // rounds beyond 65504
    } else if (mag >= 0x38800000u) {
        h = (mag - (112u << 23) + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    } else {
        // Subnormal or zero: adding 0.5 makes the FPU round at 2^-24, half to even.
        const float shifted = std::bit_cast<float>(mag) + 0.5f;
        h = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
    }
    return static_cast<std::uint16_t>(sign | h);
}

float bf16_to_f32(std::uint16_t b) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(b) << 16);
}

std::uint16_t f32_to_bf16(float f) {
    const auto x = std::bit_cast<std::uint32_t>(f);
    if ((x & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((x >> 16) | 0x40u);
    return static_cast<std::uint16_t>((x + 0x7fffu + ((x >> 16) & 1u)) >> 16);
}

namespace {

template <float (*kConvert)(std::uint16_t)>
void from_16(const void* from, float* to, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        std::uint16_t h;
        std::memcpy(&h, static_cast<const char*>(from) + 2 * i, 2);
        to[i] = kConvert(h);
    }
}

template <std::uint16_t (*kConvert)(float)>
void to_16(const float* from, void* to, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        const std::uint16_t h = kConvert(from[i]);
        std::memcpy(static_cast<char*>(to) + 2 * i, &h, 2);
    }
}

void copy_f32(const float* from, void* to, std::int64_t n) {
    if (n > 0) std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
}

void read_f32(const void* from, float* to, std::int64_t n) {
    if (n > 0) std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
}

void q8_0_to_f32(const void* from, float* to, std::int64_t n) {
    for (std::int64_t b = 0; b < n / kQuantBlock; ++b, to += kQuantBlock) {
        BlockQ8_0 block;
        std::memcpy(&block, static_cast<const char*>(from) + b * std::int64_t{sizeof block}, sizeof block);
        const float d = f16_to_f32(block.d);
        for (int i = 0; i < kQuantBlock; ++i) to[i] = d * static_cast<float>(block.q[i]);
    }
}

/// The element of largest magnitude, with its sign; the first of equals. NaN if any element is NaN.
float extreme(const float* x) {
    float best = 0;
    for (int i = 0; i < kQuantBlock; ++i) {
        if (std::isnan(x[i])) return x[i];
        if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
    }
    return best;
}

/// 1/d; 0 where the block is all zeros, infinite or NaN (the scale alone then carries the value).
float inverse(float d) {
    return d != 0 && std::isfinite(d) ? 1.0f / d : 0.0f;
}

void q8_0_from_f32(const float* from, void* to, std::int64_t n) {
    for (std::int64_t b = 0; b < n / kQuantBlock; ++b, from += kQuantBlock) {
        const float d = std::fabs(extreme(from)) / 127.0f;
        const float id = inverse(d);
        BlockQ8_0 block{f32_to_f16(d), {}};
        // A scale below half's range can make 1/d infinite; 0 * inf is no number, hence the test.
        for (int i = 0; i < kQuantBlock; ++i) {
            const float q = std::round(from[i] * id);
            block.q[i] = std::fabs(q) <= 127.0f ? static_cast<std::int8_t>(q) : std::int8_t{0};
        }
        std::memcpy(static_cast<char*>(to) + b * std::int64_t{sizeof block}, &block, sizeof block);
    }
}

void q4_0_to_f32(const void* from, float* to, std::int64_t n) {
    for (std::int64_t b = 0; b < n / kQuantBlock; ++b, to += kQuantBlock) {
        BlockQ4_0 block;
        std::memcpy(&block, static_cast<const char*>(from) + b * std::int64_t{sizeof block}, sizeof block);
        const float d = f16_to_f32(block.d);
        for (int i = 0; i < kQuantBlock / 2; ++i) {
            to[i] = d * static_cast<float>((block.q[i] & 15) - 8);
            to[i + kQuantBlock / 2] = d * static_cast<float>((block.q[i] >> 4) - 8);
        }
    }
}

void q4_0_from_f32(const float* from, void* to, std::int64_t n) {
    // The truncation of x/d + 8.5 puts the extreme at -8 exactly and lets its opposite be cut to 7.
    const auto nibble = [](float scaled) {
        const float shifted = scaled + 8.5f;
        return shifted >= 15.0f ? 15 : shifted >= 0.0f ? static_cast<int>(shifted) : 0;
    };
    for (std::int64_t b = 0; b < n / kQuantBlock; ++b, from += kQuantBlock) {
        const float d = extreme(from) / -8.0f;
        const float id = inverse(d);
        BlockQ4_0 block{f32_to_f16(d), {}};
        for (int i = 0; i < kQuantBlock / 2; ++i) {
            const int low = nibble(from[i] * id);
            const int high = nibble(from[i + kQuantBlock / 2] * id);
            block.q[i] = static_cast<std::uint8_t>(low | high << 4);
        }
        std::memcpy(static_cast<char*>(to) + b * std::int64_t{sizeof block}, &block, sizeof block);
    }
}

/// `scales`: where they begin; how many; how many times the largest of them an element may be.
template <typename Block>
constexpr TypeTraits quantized(DType type, std::string_view name, std::int64_t block, Conversions convert,
                               std::array<int, 3> scales, TypeUses uses) {
    return {type, name,      block,     sizeof(Block), convert.to_f32, convert.from_f32,
            uses, scales[0], scales[1], scales[2]};
}

/// Packed as what it is: the same bytes in the same order, or not.
constexpr TypeUses as_stored(std::uint32_t file_type, DType type, PackedBlock panel) {
    return {.file_type = file_type, .packed = type, .panel = panel, .as_stored = true, .fallback = type};
}
constexpr TypeUses reordered(std::uint32_t file_type, DType type, PackedBlock panel, DType fallback) {
    return {.file_type = file_type, .packed = type, .panel = panel, .as_stored = false, .fallback = fallback};
}

/// Packed as another type.
constexpr TypeUses recoded(std::uint32_t file_type, DType packed, DType fallback) {
    return {.file_type = file_type, .packed = packed, .panel = {}, .as_stored = false, .fallback = fallback};
}

}  // namespace

std::span<const TypeTraits> type_table() {
    using enum DType;
    static const TypeTraits kTypes[] = {
        {f32, "f32", 1, 4, read_f32, copy_f32, as_stored(0, f32, {})},
        {f16, "f16", 1, 2, from_16<f16_to_f32>, to_16<f32_to_f16>, as_stored(1, f16, {})},
        {bf16, "bf16", 1, 2, from_16<bf16_to_f32>, to_16<f32_to_bf16>, as_stored(32, bf16, {})},
        quantized<BlockQ8_0>(q8_0, "q8_0", 32, {q8_0_to_f32, q8_0_from_f32}, {0, 1, 128},
                             as_stored(7, q8_0, {1, 32})),
        quantized<BlockQ6_K>(q6_k, "q6_k", 256, kQ6_K, {208, 1, 128 * 32},
                             reordered(18, q6_k, {2, 24}, q8_0)),
        quantized<BlockQ5_1>(q5_1, "q5_1", 32, kQ5_1, {0, 2, 32}, reordered(9, q5_1, {2, 20}, q5_1)),
        quantized<BlockQ5_K>(q5_k, "q5_k", 256, kQ5_K, {0, 2, 63 * 32}, recoded(16, q5_1, q5_1)),
        quantized<BlockQ5_0>(q5_0, "q5_0", 32, kQ5_0, {0, 1, 16}, reordered(8, q5_0, {1, 20}, q5_0)),
        quantized<BlockQ4_1>(q4_1, "q4_1", 32, kQ4_1, {0, 2, 16}, as_stored(3, q4_1, {2, 16})),
        quantized<BlockQ4_K>(q4_k, "q4_k", 256, kQ4_K, {0, 2, 63 * 16}, recoded(14, q4_1, q5_0)),
        quantized<BlockQ4_0>(q4_0, "q4_0", 32, {q4_0_to_f32, q4_0_from_f32}, {0, 1, 8},
                             as_stored(2, q4_0, {1, 16})),
        quantized<BlockIQ4_NL>(iq4_nl, "iq4_nl", 32, kIq4_NL, {0, 1, 127}, as_stored(25, iq4_nl, {1, 16})),
        quantized<BlockT4_64>(t4_64, "t4_64", 64, kT4_64, {0, 1, 32},
                              reordered(7404, t4_64, {1, 16}, iq4_nl)),
        quantized<BlockQ3_K>(q3_k, "q3_k", 256, kQ3_K, {108, 1, 32 * 4}, recoded(11, q6_k, q4_0)),
        quantized<BlockT3_64>(t3_64, "t3_64", 64, kT3_64, {0, 1, 32},
                              reordered(7403, t3_64, {1, 12}, iq4_nl)),
        quantized<BlockQ2_K>(q2_k, "q2_k", 256, kQ2_K, {80, 2, 15 * 4}, recoded(10, q8_0, q4_0)),
    };
    return kTypes;
}

const TypeTraits& traits(DType type) {
    for (const TypeTraits& row : type_table()) {
        if (row.type == type) return row;
    }
    assert(!"type without traits");
    return type_table()[0];
}

}  // namespace tinyllm
