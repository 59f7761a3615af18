#include "kernels/cuda/pack.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#include "kernels/cuda/layout.h"
#include "kernels/quant.h"
#include "kernels/sub_blocks.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

static_assert(kF32 == static_cast<int>(DType::f32) && kF16 == static_cast<int>(DType::f16) &&
              kBf16 == static_cast<int>(DType::bf16) && kQ8_0 == static_cast<int>(DType::q8_0) &&
              kQ4_0 == static_cast<int>(DType::q4_0) && kQ5_0 == static_cast<int>(DType::q5_0) &&
              kQ4_K == static_cast<int>(DType::q4_k) && kQ6_K == static_cast<int>(DType::q6_k));

/// A stretch of rows in device layout, section by section.
struct Stretch {
    std::vector<std::byte> levels, high, scales, d;

    Stretch(DType type, std::int64_t rows, std::int64_t cols) {
        const Sizes s = sizes_of(static_cast<int>(type));
        const std::int64_t octets = (cols + kOctet - 1) / kOctet;
        const auto size = [&](std::int64_t units, int bytes) {
            return static_cast<std::size_t>(rows * units * bytes);
        };
        levels.resize(size(octets, s.levels));
        high.resize(size(octets, s.high));
        scales.resize(size(cols / s.scales_elements, s.scales));
        d.resize(size(cols / s.d_elements, s.d));
    }
};

/// The i-th `bytes` of a section.
std::byte* unit(std::vector<std::byte>& section, std::int64_t i, std::size_t bytes) {
    assert(static_cast<std::size_t>(i + 1) * bytes <= section.size());
    return section.data() + static_cast<std::size_t>(i) * bytes;
}

/// Octets of levels of up to 6 bits: nibbles to `levels`, `high_bits` more to `high`.
void put_levels(const std::uint8_t* u, std::int64_t n, std::int64_t octet, int high_bits, Stretch& to) {
    for (std::int64_t o = 0; o < n / kOctet; ++o, u += kOctet) {
        std::uint32_t low = 0;
        std::uint16_t high = 0;
        for (int i = 0; i < kOctet; ++i) {
            low |= static_cast<std::uint32_t>(u[i] & 15) << (i % 4 * 8 + i / 4 * 4);
            high = static_cast<std::uint16_t>(high | u[i] >> 4 << (high_bits * i));
        }
        std::memcpy(unit(to.levels, octet + o, 4), &low, 4);
        if (high_bits) {
            const auto bytes = static_cast<std::size_t>(high_bits);
            std::memcpy(unit(to.high, octet + o, bytes), &high, bytes);
        }
    }
}

template <typename Block>
Block block_at(const std::byte* row, std::int64_t b) {
    Block block;
    std::memcpy(&block, row + static_cast<std::size_t>(b) * sizeof block, sizeof block);
    return block;
}

/// Levels, one to a byte, of a block of 32 with nibbles.
template <typename Block>
void take_nibbles(const Block& block, std::uint8_t* u) {
    for (int i = 0; i < kQuantBlock / 2; ++i) {
        u[i] = block.q[i] & 15;
        u[i + kQuantBlock / 2] = static_cast<std::uint8_t>(block.q[i] >> 4);
    }
}

/// Row r of a stretch from the bytes of a stored row of the same type.
void put_row(DType type, const std::byte* row, std::int64_t cols, std::int64_t r, Stretch& to) {
    const std::int64_t octets = (cols + kOctet - 1) / kOctet;
    const std::int64_t blocks = cols / dtype_block(type);
    std::uint8_t u[kSuperBlock];
    switch (type) {
        case DType::q8_0:
            for (std::int64_t b = 0; b < blocks; ++b) {
                const auto block = block_at<BlockQ8_0>(row, b);
                std::memcpy(unit(to.levels, r * blocks + b, sizeof block.q), block.q, sizeof block.q);
                std::memcpy(unit(to.d, r * blocks + b, 2), &block.d, 2);
            }
            return;
        case DType::q4_0:
            for (std::int64_t b = 0; b < blocks; ++b) {
                const auto block = block_at<BlockQ4_0>(row, b);
                take_nibbles(block, u);
                put_levels(u, kQuantBlock, r * octets + b * 4, 0, to);
                std::memcpy(unit(to.d, r * blocks + b, 2), &block.d, 2);
            }
            return;
        case DType::q5_0:
            for (std::int64_t b = 0; b < blocks; ++b) {
                const auto block = block_at<BlockQ5_0>(row, b);
                take_nibbles(block, u);
                for (int i = 0; i < kQuantBlock; ++i) {
                    u[i] = static_cast<std::uint8_t>(u[i] | (block.high[i / 8] >> (i % 8) & 1) << 4);
                }
                put_levels(u, kQuantBlock, r * octets + b * 4, 1, to);
                std::memcpy(unit(to.d, r * blocks + b, 2), &block.d, 2);
            }
            return;
        case DType::q4_k:
            for (std::int64_t b = 0; b < blocks; ++b) {
                const auto block = block_at<BlockQ4_K>(row, b);
                put_levels(sub_blocks(type, &block).level, kSuperBlock, r * octets + b * 32, 0, to);
                std::memcpy(unit(to.d, r * blocks + b, 16), &block, 16);  // d, dmin, scales
            }
            return;
        case DType::q6_k:
            for (std::int64_t b = 0; b < blocks; ++b) {
                const auto block = block_at<BlockQ6_K>(row, b);
                put_levels(sub_blocks(type, &block).level, kSuperBlock, r * octets + b * 32, 2, to);
                std::memcpy(unit(to.scales, r * blocks + b, 16), block.scales, 16);
                std::memcpy(unit(to.d, r * blocks + b, 2), &block.d, 2);
            }
            return;
        default: {  // plain; the padding stays zero
            const auto element = traits(type).block_bytes;
            std::memcpy(unit(to.levels, r, static_cast<std::size_t>(octets * kOctet) * element), row,
                        static_cast<std::size_t>(cols) * element);
        }
    }
}

/// One part's rows from where the file has them to device memory.
class PartPacker {
  public:
    /// Its rows begin at row `begin` of the strip.
    PartPacker(Runtime& runtime, const RawMatrix& part, const Strip& strip, std::int64_t begin)
        : runtime_(runtime),
          part_(part),
          held_(strip.type),
          at_(sections_of(static_cast<int>(strip.type), strip.rows, part.cols)),
          begin_(begin),
          to_(const_cast<std::byte*>(strip.data)),
          values_(static_cast<std::size_t>(part.cols)) {}

    void pack(std::int64_t first, std::int64_t rows) {
        Stretch stretch(held_, rows, part_.cols);
        std::vector<std::byte> row(row_bytes(held_, part_.cols));
        for (std::int64_t r = 0; r < rows; ++r)
            put_row(held_, stored_row(first + r, row), part_.cols, r, stretch);
        send(stretch.levels, 0, first, rows);
        send(stretch.high, at_.high, first, rows);
        send(stretch.scales, at_.scales, first, rows);
        send(stretch.d, at_.d, first, rows);
    }

  private:
    void send(const std::vector<std::byte>& section, std::int64_t section_begin, std::int64_t first,
              std::int64_t rows) {
        if (section.empty()) return;
        const auto row = static_cast<std::int64_t>(section.size()) / rows;
        runtime_.upload(to_ + section_begin + (begin_ + first) * row, section.data(), section.size());
    }

    /// The row as the held type stores it, in the file or in `memory`.
    const std::byte* stored_row(std::int64_t r, std::vector<std::byte>& memory) {
        const auto from = static_cast<std::size_t>(
            part_.row_order.empty() ? r : part_.row_order[static_cast<std::size_t>(r)]);
        const TypeTraits& stored = traits(part_.type);
        const std::byte* row = part_.data + from * row_bytes(part_.type, part_.cols);
        if (part_.transposed) {
            assert(stored.block == 1);
            const auto pitch = static_cast<std::size_t>(part_.stored_rows ? part_.stored_rows : part_.rows);
            for (std::size_t c = 0; c < values_.size(); ++c) {
                std::memcpy(memory.data() + c * stored.block_bytes,
                            part_.data + (c * pitch + from) * stored.block_bytes, stored.block_bytes);
            }
            return memory.data();
        }
        if (held_ == part_.type) return row;
        stored.to_f32(row, values_.data(), part_.cols);
        traits(held_).from_f32(values_.data(), memory.data(), part_.cols);
        return memory.data();
    }

    Runtime& runtime_;
    const RawMatrix& part_;
    DType held_;
    Sections at_;
    std::int64_t begin_;
    std::byte* to_;
    std::vector<float> values_;
};

/// A part's rows to their place, `watch` being asked and told. False where it did not accept them.
bool pack_part(PartPacker& packer, const RawMatrix& part, std::size_t p, PackWatch* watch) {
    const std::span<const std::byte> stored = stored_bytes(part);
    const std::size_t row = row_bytes(part.type, part.cols);
    const auto rows_bytes = static_cast<std::size_t>(part.rows) * row;
    if (!part.row_order.empty() || part.transposed || stored.size() != rows_bytes) {
        if (watch && !watch->accept(p, stored)) return false;
        packer.pack(0, part.rows);
        if (watch) watch->done(p, stored);
        return true;
    }
    // In the file's order by stretches, so that its pages can be dropped on the way.
    constexpr std::size_t kStretchBytes = std::size_t{8} << 20;
    const auto step = static_cast<std::int64_t>(std::max<std::size_t>(kStretchBytes / row, 1));
    for (std::int64_t first = 0; first < part.rows; first += step) {
        const std::int64_t rows = std::min(step, part.rows - first);
        const auto stretch =
            stored.subspan(static_cast<std::size_t>(first) * row, static_cast<std::size_t>(rows) * row);
        if (watch && !watch->accept(p, stretch)) return false;
        packer.pack(first, rows);
        if (watch) watch->done(p, stretch);
    }
    return true;
}

}  // namespace

Matrix pack(Runtime& runtime, Precision precision, std::span<const RawMatrix> parts, PackWatch* watch,
            std::set<DType>& recoded) {
    Matrix matrix;
    for (const RawMatrix& part : parts) {
        assert(part.rows > 0 && (matrix.cols == 0 || matrix.cols == part.cols));
        const DType held = held_type(part.type, precision);
        if (held != part.type) recoded.insert(part.type);
        // Neighbours of one type are one strip: a launch each would be most of the time of small ones.
        if (matrix.strips.empty() || matrix.strips.back().type != held) matrix.strips.push_back({held, 0});
        matrix.strips.back().rows += part.rows;
        matrix.cols = part.cols;
        matrix.rows += part.rows;
    }
    const auto bytes_of = [&](const Strip& strip) {
        return static_cast<std::size_t>(
            sections_of(static_cast<int>(strip.type), strip.rows, matrix.cols).bytes);
    };
    for (const Strip& strip : matrix.strips) matrix.bytes += bytes_of(strip);
    const std::shared_ptr<std::byte> memory = runtime.allocate(matrix.bytes);
    const std::byte* at = memory.get();
    for (Strip& strip : matrix.strips) {
        strip.data = at;
        at += bytes_of(strip);
    }
    auto strip = matrix.strips.begin();
    std::int64_t begin = 0;  // of the part in its strip
    for (std::size_t p = 0; p < parts.size(); ++p) {
        if (begin == strip->rows) {
            ++strip;
            begin = 0;
        }
        PartPacker packer(runtime, parts[p], *strip, begin);
        if (!pack_part(packer, parts[p], p, watch)) return {};
        begin += parts[p].rows;
    }
    matrix.memory = memory;
    return matrix;
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
