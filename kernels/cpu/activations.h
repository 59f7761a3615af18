// Rows of activations, normalised and cut into the tiles that the kernels multiply with.
#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"

namespace tinyllm::cpu {

struct Tile {
    std::int32_t first_row;
    std::int32_t rows;   // real ones
    std::int32_t width;  // columns of the tile, >= rows
};

/// The tiles of `n` rows: the largest of `sizes` while they fill, then the smallest that holds the rest.
std::vector<Tile> tiles_of(const int (&sizes)[kMaxTiles], std::int32_t n);

/// Which forms of the activations a matrix needs.
struct Forms {
    bool f32 = false;
    bool int8 = false;
    int pairs = 0;  // terms of pairs of bf16; then no other form
};
Forms forms_of(const Matrix& w, const KernelTable& table, Precision precision, Phase phase);

/// How all tiles of one op's input, in the forms asked for, lie in one block of scratch memory.
class Activations {
  public:
    Activations(const KernelTable& table, std::int32_t n, std::int64_t cols, Forms forms);

    std::size_t bytes() const { return bytes_; }
    const std::vector<Tile>& tiles() const { return tiles_; }

    /// Normalises the rows of one tile and fills it. `row_index`, if not null, maps row i of the op to row
    /// row_index[i] of x. `rows`: scratch of row_floats().
    void fill(std::byte* memory, std::size_t tile, const float* x, const std::int32_t* row_index,
              const Norm& norm, float* rows) const;
    std::size_t row_floats() const { return static_cast<std::size_t>(tiles_[0].width * cols_); }
    float* f32(std::byte* memory, std::size_t tile) const {
        return reinterpret_cast<float*>(memory + offsets_[tile]);
    }
    IntTile int8(std::byte* memory, std::size_t tile) const;
    std::uint16_t* pairs(std::byte* memory, std::size_t tile) const {
        return reinterpret_cast<std::uint16_t*>(memory + offsets_[tile]);
    }
    const Forms& forms() const { return forms_; }

  private:
    const KernelTable* table_;
    std::int64_t cols_;
    Forms forms_;
    std::vector<Tile> tiles_;
    std::vector<std::size_t> offsets_;  // of each tile
    std::size_t bytes_ = 0;
};

}  // namespace tinyllm::cpu
