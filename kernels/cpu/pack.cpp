#include "kernels/cpu/pack.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <vector>

#include "kernels/cpu/recode_row.h"
#include "kernels/packed_type.h"
#include "kernels/quant.h"

namespace tinyllm::cpu {
namespace {

std::int64_t scale_bytes(DType type, std::int64_t cols, int lanes) {
    return (cols / kQuantBlock * packed_block(type).scales * lanes * 2 + 63) / 64 * 64;
}

std::int64_t panels_in(std::int64_t rows, int lanes) {
    return (rows + lanes - 1) / lanes;
}

/// Where the rows of one panel come from; null rows pad the last panel.
struct Source {
    const std::byte* rows[16];
    std::int64_t step;  // bytes from one k to the next
};

template <typename T>
void pack_plain(const Source& from, std::int64_t cols, int lanes, T* to) {
    // Eight bytes of each row at a time, so that stores run on without a gap (as in pack_blocks).
    constexpr int kTogether = 8 / sizeof(T);
    std::int64_t k = 0;
    if (from.step == sizeof(T)) {
        for (; k + kTogether <= cols; k += kTogether, to += kTogether * lanes) {
            T values[16][kTogether];
            for (int lane = 0; lane < lanes; ++lane) {
                if (from.rows[lane]) {
                    std::memcpy(values[lane], from.rows[lane] + k * from.step, 8);
                } else {
                    std::memset(values[lane], 0, 8);
                }
            }
            for (int i = 0; i < kTogether; ++i) {
                for (int lane = 0; lane < lanes; ++lane) to[i * lanes + lane] = values[lane][i];
            }
        }
    }
    for (; k < cols; ++k, to += lanes) {
        for (int lane = 0; lane < lanes; ++lane) {
            if (from.rows[lane]) std::memcpy(to + lane, from.rows[lane] + k * from.step, sizeof(T));
        }  // else the memory is zero already
    }
}

/// A block of a row is `n_scales` halves and `dwords`; `flip` is xored in. Stores run on without a gap, so
/// that the loads of several rows, which lie in the nearest cache, may be in flight together: three times as
/// fast as row by row.
template <int n_scales, int dwords>
void pack_blocks(const Source& from, std::int64_t blocks, int lanes, std::uint32_t flip,
                 std::uint16_t* scales, std::uint32_t* to) {
    constexpr std::size_t block_bytes = 2 * n_scales + 4 * dwords;
    static constexpr std::byte kZeros[block_bytes] = {};
    for (std::int64_t b = 0; b < blocks; ++b, scales += n_scales * lanes, to += dwords * lanes) {
        const std::byte* rows[16];
        for (int lane = 0; lane < lanes; ++lane) {
            const std::byte* row = from.rows[lane];
            rows[lane] = row ? row + static_cast<std::size_t>(b) * block_bytes : kZeros;
            for (int s = 0; s < n_scales; ++s) std::memcpy(scales + s * lanes + lane, rows[lane] + 2 * s, 2);
        }
        for (int j = 0; j < dwords; ++j) {
            for (int lane = 0; lane < lanes; ++lane) {
                std::uint32_t bytes;
                std::memcpy(&bytes, rows[lane] + 2 * n_scales + 4 * j, sizeof bytes);
                to[j * lanes + lane] = bytes ^ flip;
            }
        }
    }
}

/// pack_blocks for blocks of that form.
auto packer_of(PackedBlock form) {
    struct Packer {
        PackedBlock form;
        decltype(&pack_blocks<1, 4>) pack;
    };
    static constexpr Packer kPackers[] = {
        {{1, 32}, pack_blocks<1, 8>}, {{2, 24}, pack_blocks<2, 6>}, {{2, 20}, pack_blocks<2, 5>},
        {{1, 20}, pack_blocks<1, 5>}, {{2, 16}, pack_blocks<2, 4>}, {{1, 16}, pack_blocks<1, 4>},
        {{1, 12}, pack_blocks<1, 3>},
    };
    const Packer* found = std::ranges::find(kPackers, form, &Packer::form);
    assert(found != std::end(kPackers));
    return found->pack;
}

/// What the kernels of `table` want xored into four bytes of a type.
std::uint32_t flip_of(DType type, const KernelTable& table) {
    if (type == DType::q8_0 && table.q8_offset) return 0x80808080U;
    if (type == DType::q4_0 && table.signed_nibbles) return 0x88888888U;
    return 0;
}

/// Memory for the rows of one panel in another type than the stored one.
struct Recoded {
    std::vector<float> values;
    std::vector<std::byte> rows;
};

void pack_panel(const RawMatrix& part, DType type, std::int64_t panel, const KernelTable& table,
                Recoded& recoded, std::byte* to) {
    const int lanes = table.lanes;
    const std::size_t element = traits(part.type).block_bytes;
    const auto stored_rows = static_cast<std::size_t>(part.stored_rows ? part.stored_rows : part.rows);
    const std::size_t row = part.transposed ? element : row_bytes(part.type, part.cols);
    Source from{{}, static_cast<std::int64_t>(part.transposed ? stored_rows * element : element)};
    for (int lane = 0; lane < lanes; ++lane) {
        const std::int64_t r = panel * lanes + lane;
        if (r >= part.rows) continue;
        const auto stored = static_cast<std::size_t>(
            part.row_order.empty() ? r : part.row_order[static_cast<std::size_t>(r)]);
        from.rows[lane] = part.data + stored * row;
    }
    if (needs_recoding(part.type, type)) {
        const auto bytes = static_cast<std::size_t>(packed_row_bytes(type, part.cols));
        recoded.values.resize(static_cast<std::size_t>(part.cols));
        recoded.rows.resize(static_cast<std::size_t>(lanes) * bytes);
        from.step = static_cast<std::int64_t>(traits(type).block_bytes);  // of f32
        for (int lane = 0; lane < lanes; ++lane) {
            if (!from.rows[lane]) continue;
            std::byte* out = recoded.rows.data() + static_cast<std::size_t>(lane) * bytes;
            recode_row(part.type, from.rows[lane], part.cols, type, recoded.values.data(), out);
            from.rows[lane] = out;
        }
    }
    if (type == DType::f32) return pack_plain(from, part.cols, lanes, reinterpret_cast<std::uint32_t*>(to));
    if (dtype_block(type) == 1)
        return pack_plain(from, part.cols, lanes, reinterpret_cast<std::uint16_t*>(to));
    auto* scales = reinterpret_cast<std::uint16_t*>(to);
    auto* bytes = reinterpret_cast<std::uint32_t*>(to + scale_bytes(type, part.cols, lanes));
    packer_of(packed_block(type))(from, part.cols / kQuantBlock, lanes, flip_of(type, table), scales, bytes);
}

/// An empty matrix of `parts` in panels of `types`.
Matrix lay_out(std::span<const RawMatrix> parts, std::span<const DType> types, int lanes, Arena& arena) {
    Matrix matrix;
    for (std::size_t p = 0; p < parts.size(); ++p) {
        assert(matrix.cols == 0 || matrix.cols == parts[p].cols);
        matrix.cols = parts[p].cols;
        matrix.rows += parts[p].rows;
        matrix.bytes += static_cast<std::size_t>(panels_in(parts[p].rows, lanes) *
                                                 panel_bytes(types[p], parts[p].cols, lanes));
    }
    const std::shared_ptr<std::byte> memory = arena.take(matrix.bytes);
    std::byte* to = memory.get();
    for (std::size_t p = 0; p < parts.size(); ++p) {
        matrix.strips.push_back({types[p], parts[p].rows, to});
        to += static_cast<std::size_t>(panels_in(parts[p].rows, lanes) *
                                       panel_bytes(types[p], parts[p].cols, lanes));
    }
    matrix.memory = memory;
    return matrix;
}

/// One part on its way into its strip.
class Packing {
  public:
    Packing(const RawMatrix& part, const Strip& strip, std::size_t index, PackWatch* watch,
            const KernelTable& table)
        : part_(part),
          index_(index),
          watch_(watch),
          table_(table),
          type_(strip.type),
          to_(const_cast<std::byte*>(strip.data)),
          bytes_(panel_bytes(strip.type, part.cols, table.lanes)),
          needs_scales_(needs_scales(part.type, strip.type)) {}

    /// False if the watch did not accept it.
    bool run(ThreadPool& pool) {
        if (part_.transposed || !part_.row_order.empty()) return run_in_any_order(pool);
        // A stretch at a time, so that file pages and packed ones are not there twice over a whole table of
        // embeddings. Within it a chunk is checked and packed while it lies in a near cache.
        const std::int64_t n_panels = panels_in(part_.rows, table_.lanes);
        const auto row = static_cast<std::int64_t>(row_bytes(part_.type, part_.cols));
        const std::int64_t stretch = std::max<std::int64_t>(1, kStretchBytes / (row * table_.lanes));
        const std::int64_t chunk = panels_in_chunk();
        for (std::int64_t first = 0; first < n_panels; first += stretch) {
            const std::int64_t last = std::min(n_panels, first + stretch);
            pool.run(static_cast<int>((last - first + chunk - 1) / chunk), [&](int c, int) {
                const std::int64_t begin = first + c * chunk;
                const std::int64_t end = std::min(last, begin + chunk);
                if (check(rows_of(begin, end))) pack(begin, end);
            });
            if (!accepted_) return false;
            if (watch_) watch_->done(index_, rows_of(first, last));
        }
        return true;
    }

    /// Known behind run().
    bool fits() const { return !needs_scales_ || scales_fit(part_.type, largest_scale_); }

  private:
    static constexpr std::int64_t kStretchBytes = std::int64_t{16} << 20;
    static constexpr std::int64_t kChunkBytes = std::int64_t{256} << 10;

    std::int64_t panels_in_chunk() const {
        return std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, bytes_));
    }
    /// Of the panels [begin, end), where rows are stored in order.
    std::span<const std::byte> rows_of(std::int64_t begin, std::int64_t end) const {
        const std::size_t row = row_bytes(part_.type, part_.cols);
        const auto first = static_cast<std::size_t>(begin * table_.lanes);
        const auto last = static_cast<std::size_t>(std::min(part_.rows, end * table_.lanes));
        return {part_.data + first * row, (last - first) * row};
    }
    bool run_in_any_order(ThreadPool& pool) {
        const std::span<const std::byte> stored = stored_bytes(part_);
        const std::size_t block = traits(part_.type).block_bytes;
        const std::size_t step = kChunkBytes / block * block;
        pool.run(static_cast<int>((stored.size() + step - 1) / step), [&](int c, int) {
            const std::size_t begin = static_cast<std::size_t>(c) * step;
            check(stored.subspan(begin, std::min(step, stored.size() - begin)));
        });
        if (!accepted_) return false;
        const std::int64_t n_panels = panels_in(part_.rows, table_.lanes);
        const std::int64_t chunk = panels_in_chunk();
        pool.run(static_cast<int>((n_panels + chunk - 1) / chunk),
                 [&](int c, int) { pack(c * chunk, std::min(n_panels, (c + 1) * chunk)); });
        if (watch_) watch_->done(index_, stored);
        return true;
    }
    bool check(std::span<const std::byte> stored) {
        if (watch_ && !watch_->accept(index_, stored)) accepted_ = false;
        if (!accepted_) return false;
        if (!needs_scales_) return true;
        const int largest = largest_scale(part_.type, stored);
        for (int known = largest_scale_; known < largest;) {
            if (largest_scale_.compare_exchange_weak(known, largest)) break;
        }
        return true;
    }
    void pack(std::int64_t begin, std::int64_t end) const {
        Recoded recoded;
        for (std::int64_t panel = begin; panel < end; ++panel) {
            pack_panel(part_, type_, panel, table_, recoded, to_ + panel * bytes_);
        }
    }

    const RawMatrix& part_;
    std::size_t index_;
    PackWatch* watch_;
    const KernelTable& table_;
    DType type_;
    std::byte* to_;
    std::int64_t bytes_;  // of a panel
    bool needs_scales_;
    std::atomic<bool> accepted_{true};
    std::atomic<int> largest_scale_{0};
};

}  // namespace

std::int64_t panel_bytes(DType type, std::int64_t cols, int lanes) {
    if (dtype_block(type) == 1) {
        return (static_cast<std::int64_t>(row_bytes(type, cols)) * lanes + 63) / 64 * 64;
    }
    return scale_bytes(type, cols, lanes) +
           (cols / kQuantBlock * packed_block(type).bytes * lanes + 63) / 64 * 64;
}

std::size_t panels_bytes(DType type, std::int64_t rows, std::int64_t cols, int lanes) {
    const bool has_panels = packed_type(type, Precision::fast) == type;
    if (!has_panels || cols % dtype_block(type) != 0) return 0;
    return static_cast<std::size_t>(panels_in(rows, lanes) * panel_bytes(type, cols, lanes));
}

Panels panels_of(const Strip& strip, std::int64_t cols, int lanes) {
    return {static_cast<int>(strip.type), reinterpret_cast<const std::uint8_t*>(strip.data),
            panel_bytes(strip.type, cols, lanes), cols};
}

Matrix pack_panels(std::span<const RawMatrix> parts, PackWatch* watch, const KernelTable& table,
                   Precision precision, ThreadPool& pool, Arena& arena) {
    std::vector<DType> types;
    for (const RawMatrix& part : parts) types.push_back(packed_type(part.type, precision));
    for (;;) {
        Matrix matrix = lay_out(parts, types, table.lanes, arena);
        bool again = false;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Packing packing(parts[p], matrix.strips[p], p, watch, table);
            if (!packing.run(pool)) return {};
            if (packing.fits()) continue;
            types[p] = DType::f32;
            again = true;
        }
        if (!again) return matrix;
    }
}

void read_packed_row(const Matrix& matrix, const KernelTable& table, std::int64_t row, float scale, bool add,
                     Scratch& scratch, float* to) {
    assert(row >= 0 && row < matrix.rows);
    const int lanes = table.lanes;
    for (const Strip& strip : matrix.strips) {
        if (row >= strip.rows) {
            row -= strip.rows;
            continue;
        }
        const Panels panels = panels_of(strip, matrix.cols, lanes);
        const std::uint8_t* panel = panels.data + row / lanes * panels.stride;
        const std::int64_t lane = row % lanes;
        const auto put = [&](std::int64_t k, float value) {
            to[k] = add ? to[k] + value * scale : value * scale;
        };
        if (dtype_block(strip.type) > 1) {
            auto* unpacked = scratch.get<float>(static_cast<std::size_t>(matrix.cols * lanes));
            table.unpack_panel(&panels, row / lanes, unpacked);
            for (std::int64_t k = 0; k < matrix.cols; ++k) put(k, unpacked[k * lanes + lane]);
            return;
        }
        const auto* halves = reinterpret_cast<const std::uint16_t*>(panel);
        for (std::int64_t k = 0; k < matrix.cols; ++k) {
            if (strip.type == DType::f32) {
                put(k, reinterpret_cast<const float*>(panel)[k * lanes + lane]);
            } else if (strip.type == DType::f16) {
                put(k, f16_to_f32(halves[k * lanes + lane]));
            } else {
                put(k, bf16_to_f32(halves[k * lanes + lane]));
            }
        }
        return;
    }
}

}  // namespace tinyllm::cpu
