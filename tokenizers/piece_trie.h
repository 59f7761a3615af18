// Pieces by their bytes, as a double-array trie: one table look-up per byte of text finds every piece that
// starts at a place. Technique: J. Aoe, "An efficient digital search algorithm by using a double-array
// structure", 1989; children lie at base XOR byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tinyllm/tokenizer.h"

namespace tinyllm {

class PieceTrie {
  public:
    static constexpr std::uint32_t kRoot = 0;

    PieceTrie() = default;
    /// The last of equal pieces counts; empty ones are never found. The views are not kept.
    explicit PieceTrie(std::vector<std::pair<std::string_view, Token>> pieces);

    /// The node behind `byte`; kRoot if there is none.
    std::uint32_t child(std::uint32_t node, char byte) const {
        const std::uint32_t at = units_[node].base ^ static_cast<unsigned char>(byte);
        return units_[at].parent == node ? at : kRoot;
    }
    /// The piece that ends at `node`, or -1.
    Token value(std::uint32_t node) const { return units_[node].value; }

  private:
    class Builder;
    struct Unit {
        std::uint32_t base = 0;
        std::uint32_t parent = 0xFFFFFFFF;  // free
        Token value = -1;
    };
    std::vector<Unit> units_ = std::vector<Unit>(256);  // a multiple of 256, so that no child lies outside
};

}  // namespace tinyllm
