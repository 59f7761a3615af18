#include "kernels/cpu/recode_row.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/packed_type.h"
#include "kernels/quant.h"
#include "kernels/quant_table.h"
#include "kernels/sub_blocks.h"

namespace tinyllm::cpu {
namespace {

constexpr float kLargestHalf = 65504;

/// Writes one packed block and returns what follows it.
std::byte* put_block(PackedBlock form, const std::uint16_t* scales, const std::uint8_t* levels,
                     std::byte* out) {
    std::uint8_t bytes[24] = {};
    for (int i = 0; i < kQuantBlock / 2; ++i)
        bytes[i] = static_cast<std::uint8_t>((levels[i] & 15) | (levels[i + 16] & 15) << 4);
    // Four elements at a time, one to a byte: a fifth bit goes to bit j of its byte, two bits to bits 2 (j %
    // 4) of a byte of its half's.
    std::uint32_t high[2] = {};
    for (int j = 0; j < 8; ++j) {
        std::uint32_t four;
        std::memcpy(&four, levels + 4 * j, sizeof four);
        if (form.bytes == 20) {
            high[0] |= (four >> 4 & 0x01010101U) << j;
        } else {
            high[j / 4] |= (four >> 4 & 0x03030303U) << (j % 4 * 2);
        }
    }
    std::memcpy(bytes + 16, high, sizeof high);
    std::memcpy(out, scales, static_cast<std::size_t>(2 * form.scales));
    std::memcpy(out + 2 * form.scales, bytes, static_cast<std::size_t>(form.bytes));
    return out + 2 * form.scales + form.bytes;
}

void recode_super_blocks(DType from, const std::byte* row, std::int64_t cols, DType to, std::byte* out) {
    const PackedBlock form = packed_block(to);
    for (std::int64_t b = 0; b < cols / kSuperBlock; ++b, row += traits(from).block_bytes) {
        SubBlocks parts = sub_blocks(from, row);
        if (to == DType::q6_k) {  // levels of q3_k stand around 4, these around 32
            for (std::uint8_t& level : parts.level)
                level = static_cast<std::uint8_t>(level + 32 - parts.offset);
        }
        for (int first = 0; first < kSuperBlock; first += kQuantBlock) {
            const int s = first / parts.size;
            const std::uint16_t scales[2] = {
                f32_to_f16(parts.scale[s]),
                f32_to_f16(to == DType::q6_k ? parts.scale[s + 1] : -parts.minimum[s])};
            out = put_block(form, scales, parts.level + first, out);
        }
    }
}

/// q5_0 and q5_1: nibbles as they are, behind them the fifth bits as put_block has them: that of element 4 j
/// + t is bit j of byte t.
void reorder_fifth_bits(DType type, const std::byte* row, std::int64_t cols, std::byte* out) {
    const auto scales = static_cast<std::size_t>(2 * packed_block(type).scales);
    for (std::int64_t b = 0; b < cols / kQuantBlock; ++b, row += scales + 20, out += scales + 20) {
        std::uint32_t stored, bits = 0;
        std::memcpy(&stored, row + scales, sizeof stored);
        for (int t = 0; t < 4; ++t) {  // every fourth bit, drawn together
            std::uint32_t x = stored >> t & 0x11111111U;
            x = (x | x >> 3) & 0x03030303U;
            x = (x | x >> 6) & 0x000f000fU;
            bits |= ((x | x >> 12) & 0xffU) << (8 * t);
        }
        std::memcpy(out, row, scales);
        std::memcpy(out + scales, row + scales + sizeof stored, 16);
        std::memcpy(out + scales + 16, &bits, sizeof bits);
    }
}

/// t3_64 and t4_64: each half becomes a block with a scale of its own.
void split_halves(DType type, const std::byte* row, std::int64_t cols, std::byte* out) {
    const PackedBlock form = packed_block(type);
    const TypeTraits& stored = traits(type);
    for (std::int64_t b = 0; b < cols / stored.block; ++b, row += stored.block_bytes) {
        std::uint16_t header;
        std::memcpy(&header, row, sizeof header);
        const std::byte* half = row + sizeof header;
        for (const float scale : half_scales(header).of) {
            const std::uint16_t d = f32_to_f16(scale);
            std::memcpy(out, &d, sizeof d);
            std::memcpy(out + sizeof d, half, static_cast<std::size_t>(form.bytes));
            out += static_cast<int>(sizeof d) + form.bytes;
            half += form.bytes;
        }
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

bool needs_scales(DType from, DType to) {
    return to != DType::f32 && (to != from || from == DType::q6_k);
}

int largest_scale(DType from, std::span<const std::byte> blocks) {
    const TypeTraits& type = traits(from);
    int largest = 0;
    for (std::size_t at = 0; at < blocks.size(); at += type.block_bytes) {
        std::uint16_t scales[2] = {};
        std::memcpy(scales, blocks.data() + at + type.scales_at, static_cast<std::size_t>(2 * type.n_scales));
        largest = std::max({largest, scales[0] & 0x7fff, scales[1] & 0x7fff});
    }
    return largest;
}

bool scales_fit(DType from, int largest_scale) {
    return f16_to_f32(static_cast<std::uint16_t>(largest_scale)) * static_cast<float>(traits(from).reach) <=
           kLargestHalf;
}

bool needs_recoding(DType from, DType to) {
    return from != to || !traits(from).uses.as_stored;
}

void recode_row(DType from, const std::byte* row, std::int64_t cols, DType to, float* values,
                std::byte* out) {
    if (to == DType::f32 || to == DType::q8_0) {
        traits(from).to_f32(row, values, cols);
        if (to == DType::f32) {
            traits(to).from_f32(values, out, cols);
        } else {
            round_to_q8_0(values, cols, out);
        }
    } else if (dtype_block(from) == kSuperBlock) {
        recode_super_blocks(from, row, cols, to, out);
    } else if (dtype_block(from) > kQuantBlock) {
        split_halves(from, row, cols, out);
    } else {
        reorder_fifth_bits(from, row, cols, out);
    }
}

}  // namespace tinyllm::cpu
