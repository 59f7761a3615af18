// Conversions between f32 and every stored type. Built with -ffp-contract=off: one fused multiply-add would
// change stored bytes.
#include "kernels/quant.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

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

constexpr TypeTraits kTypes[] = {
    {DType::f32, "f32", 1, 4, read_f32, copy_f32},
    {DType::f16, "f16", 1, 2, from_16<f16_to_f32>, to_16<f32_to_f16>},
    {DType::bf16, "bf16", 1, 2, from_16<bf16_to_f32>, to_16<f32_to_bf16>},
    {DType::q8_0, "q8_0", kQuantBlock, sizeof(BlockQ8_0), q8_0_to_f32, q8_0_from_f32},
    {DType::q4_0, "q4_0", kQuantBlock, sizeof(BlockQ4_0), q4_0_to_f32, q4_0_from_f32},
};

}  // namespace

std::span<const TypeTraits> type_table() {
    return kTypes;
}

const TypeTraits& traits(DType type) {
    for (const TypeTraits& row : kTypes) {
        if (row.type == type) return row;
    }
    assert(!"type without traits");
    return kTypes[0];
}

}  // namespace tinyllm
