#include "kernels/cpu/activations.h"

#include <algorithm>

namespace tinyllm::cpu {
namespace {

/// Numbers of an int8 tile for each block and token.
std::size_t per_block(const KernelTable& table) {
    return 5 + 2 * static_cast<std::size_t>(table.scale_copies);
}

constexpr std::size_t round_up(std::size_t n) {
    return (n + 63) / 64 * 64;
}

}  // namespace

std::vector<Tile> tiles_of(const int (&sizes)[kMaxTiles], std::int32_t n) {
    std::vector<Tile> tiles;
    for (std::int32_t row = 0; row < n;) {
        std::int32_t width = sizes[kMaxTiles - 1];
        for (const int size : sizes) {
            if (n - row <= size) {
                width = size;
                break;
            }
        }
        const std::int32_t rows = width < n - row ? width : n - row;
        tiles.push_back({row, rows, width});
        row += rows;
    }
    return tiles;
}

Forms forms_of(const Matrix& w, const KernelTable& table, Precision precision, Phase phase) {
    Forms forms;
    if (table.pairs && precision == Precision::fast && phase == Phase::prompt) {
        bool all = true;
        for (const Strip& strip : w.strips) {
            const int terms = table.pairs->terms(static_cast<int>(strip.type));
            all = all && terms > 0;
            forms.pairs = std::max(forms.pairs, terms);
        }
        if (all) return forms;
        forms.pairs = 0;
    }
    for (const Strip& strip : w.strips) {
        const bool int8 = precision == Precision::fast && dtype_block(strip.type) > 1;
        (int8 ? forms.int8 : forms.f32) = true;
    }
    return forms;
}

Activations::Activations(const KernelTable& table, std::int32_t n, std::int64_t cols, Forms forms)
    : table_(&table),
      cols_(cols),
      forms_(forms),
      tiles_(tiles_of(forms.pairs ? table.pairs->tiles : table.tiles, n)) {
    for (const Tile& tile : tiles_) {
        offsets_.push_back(bytes_);
        const auto elements = static_cast<std::size_t>(cols * tile.width);
        if (forms.pairs) {
            bytes_ += static_cast<std::size_t>(pair_parts(forms.pairs) * pair_cols(cols) * tile.width) *
                      sizeof(std::uint16_t);
        }
        if (forms.f32) bytes_ += round_up(elements * sizeof(float));
        if (forms.int8)
            bytes_ += round_up(elements) + per_block(table) * round_up(elements / kBlock * sizeof(float));
    }
}

void Activations::fill(std::byte* memory, std::size_t index, const float* x, const std::int32_t* row_index,
                       const Norm& norm, float* rows) const {
    const Tile& tile = tiles_[index];
    const float* from = x + tile.first_row * cols_;
    if (row_index || norm.kind != NormKind::none) {
        for (std::int32_t i = 0; i < tile.rows; ++i) {
            const std::int64_t row = row_index ? row_index[tile.first_row + i] : tile.first_row + i;
            table_->norm_row(static_cast<int>(norm.kind), norm.eps, norm.weight, norm.bias, x + row * cols_,
                             cols_, rows + i * cols_);
        }
        from = rows;
    }
    if (forms_.pairs) {
        table_->pairs->fill(from, cols_, tile.rows, tile.width, cols_, forms_.pairs, pairs(memory, index));
    }
    if (forms_.f32) table_->fill_tile(from, cols_, tile.rows, tile.width, cols_, f32(memory, index));
    if (forms_.int8) {
        for (int i = 0; i < tile.width; ++i) {
            table_->fill_int_tile(i < tile.rows ? from + i * cols_ : nullptr, i, tile.width, cols_,
                                  int8(memory, index));
        }
    }
}

IntTile Activations::int8(std::byte* memory, std::size_t tile) const {
    const auto elements = static_cast<std::size_t>(cols_ * tiles_[tile].width);
    std::byte* at = memory + offsets_[tile];
    if (forms_.f32) at += round_up(elements * sizeof(float));
    const std::size_t values = round_up(elements / kBlock * sizeof(float));
    std::byte* after = at + round_up(elements);
    const auto floats = [&](std::size_t i) { return reinterpret_cast<float*>(after + i * values); };
    const auto ints = [&](std::size_t i) { return reinterpret_cast<std::int32_t*>(after + i * values); };
    const auto copies = static_cast<std::size_t>(table_->scale_copies);
    const std::size_t first = 2 * copies;
    return {reinterpret_cast<std::int8_t*>(at),
            floats(0),
            floats(copies),
            ints(first),
            ints(first + 1),
            ints(first + 2),
            ints(first + 3)};
}

}  // namespace tinyllm::cpu
