// (left id, right id) -> (rank, id of the result); and the merging of a whole word by it. Merges lie in order
// of rank, twelve bytes each, and are found through a flat index.
#pragma once

#include <cstdint>
#include <vector>

#include "tinyllm/tokenizer.h"
#include "tokenizers/flat_index.h"
#include "tokenizers/hashing.h"

namespace tinyllm {

class MergeTable {
  public:
    static constexpr std::uint32_t kNone = FlatIndex::kNone;
    struct Merge {
        std::uint32_t rank = kNone;
        Token result = -1;
    };

    /// Room for `merges`, fewer than 2^30.
    explicit MergeTable(std::size_t merges = 0);
    /// The merge of the next rank, from 0 on. The last of equal pairs counts.
    void add(Token left, Token right, Token result);

    Merge find(Token left, Token right) const {
        const std::uint32_t rank = index_.find(hash_of(left, right), [&](std::uint32_t i) {
            return merges_[i].left == left && merges_[i].right == right;
        });
        return rank == FlatIndex::kNone ? Merge{} : Merge{rank, merges_[rank].result};
    }

    /// Merges `ids` from index `from` to its end, lowest rank first, leftmost of equals.
    void merge_all(std::vector<Token>& ids, std::size_t from) const;

  private:
    struct Pair {
        Token left, right, result;
    };
    static std::uint64_t hash_of(Token left, Token right) {
        return mix(static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
                   static_cast<std::uint32_t>(right));
    }
    void merge_short(Token* ids, std::size_t& n) const;
    std::size_t merge_long(Token* ids, std::size_t n) const;

    std::vector<Pair> merges_;
    FlatIndex index_;
};

}  // namespace tinyllm
