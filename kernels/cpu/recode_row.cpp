#include "kernels/cpu/recode_row.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/packed_type.h"
#include "kernels/quant.h"

namespace tinyllm::cpu {
namespace {

constexpr float kLargestHalf = 65504;

/// The largest magnitude among the scales of a matrix.
float largest_scale(const RawMatrix& part, const TypeTraits& type) {
    const auto stored_rows = static_cast<std::size_t>(part.stored_rows ? part.stored_rows : part.rows);
    const std::size_t bytes = stored_rows * row_bytes(part.type, part.cols);
    int largest = 0;  // a half's magnitude grows with its bits
    for (std::size_t at = static_cast<std::size_t>(type.scales_at); at < bytes; at += type.block_bytes) {
        std::uint16_t scales[2] = {};
        std::memcpy(scales, part.data + at, static_cast<std::size_t>(2 * type.n_scales));
        largest = std::max({largest, scales[0] & 0x7fff, scales[1] & 0x7fff});
    }
    return f16_to_f32(static_cast<std::uint16_t>(largest));
}

/// The same integers under the same scale.
template <typename Block, typename ValueAt>
void as_q8_0(const std::byte* row, std::int64_t cols, const ValueAt& value_at, std::byte* out) {
    for (std::int64_t b = 0; b < cols / kQuantBlock; ++b, row += sizeof(Block), out += sizeof(BlockQ8_0)) {
        Block from;
        std::memcpy(&from, row, sizeof from);
        BlockQ8_0 to{from.d, {}};
        for (int i = 0; i < kQuantBlock; ++i) {
            const int nibble = i < 16 ? from.q[i] & 15 : from.q[i - 16] >> 4;
            to.q[i] = static_cast<std::int8_t>(value_at(from, nibble, i));
        }
        std::memcpy(out, &to, sizeof to);
    }
}

/// Unlike a file's q8_0 it divides by the scale as stored, which is the half above rather than the nearest:
/// no element is cut, and no block vanishes below the smallest half.
void round_to_q8_0(const float* values, std::int64_t cols, std::byte* out) {
    for (std::int64_t b = 0; b < cols / kQuantBlock; ++b, values += kQuantBlock, out += sizeof(BlockQ8_0)) {
        float most = 0;
        for (int i = 0; i < kQuantBlock; ++i) most = std::max(most, std::fabs(values[i]));
        BlockQ8_0 block{f32_to_f16(most / 127), {}};
        if (f16_to_f32(block.d) * 127 < most) ++block.d;
        const float inverse = most > 0 ? 1 / f16_to_f32(block.d) : 0;
        for (int i = 0; i < kQuantBlock; ++i) {
            block.q[i] = static_cast<std::int8_t>(std::lrint(values[i] * inverse));
        }
        std::memcpy(out, &block, sizeof block);
    }
}

}  // namespace

DType panel_type(const RawMatrix& part, Precision precision) {
    const DType type = packed_type(part.type, precision);
    if (type == part.type || type == DType::f32) return type;
    // The exact forms keep their scale, whatever it is.
    if (part.type == DType::q5_0 || part.type == DType::iq4_nl) return type;
    const TypeTraits& stored = traits(part.type);
    return largest_scale(part, stored) * static_cast<float>(stored.reach) <= kLargestHalf ? type : DType::f32;
}

void recode_row(DType from, const std::byte* row, std::int64_t cols, DType to, float* values,
                std::byte* out) {
    if (from == DType::q5_0) {
        as_q8_0<BlockQ5_0>(
            row, cols,
            [](const BlockQ5_0& block, int nibble, int i) {
                return (nibble | (block.high[i / 8] >> i % 8 & 1) << 4) - 16;
            },
            out);
    } else if (from == DType::iq4_nl) {
        as_q8_0<BlockIQ4_NL>(
            row, cols, [](const BlockIQ4_NL&, int nibble, int) { return kIq4Values[nibble]; }, out);
    } else {
        traits(from).to_f32(row, values, cols);
        if (to == DType::q8_0) {
            round_to_q8_0(values, cols, out);
        } else {
            traits(to).from_f32(values, out, cols);
        }
    }
}

}  // namespace tinyllm::cpu
