// (left id, right id) -> (rank, id of the result), in one flat table; and the merging of a whole word by it.
#pragma once

#include <cstdint>
#include <vector>

#include "tinyllm/tokenizer.h"
#include "tokenizers/hashing.h"

namespace tinyllm {

class MergeTable {
  public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    struct Merge {
        std::uint32_t rank = kNone;
        Token result = -1;
    };

    void reserve(std::size_t merges);
    /// The last of equal pairs counts.
    void add(Token left, Token right, std::uint32_t rank, Token result);

    Merge find(Token left, Token right) const {
        const std::uint64_t key = key_of(left, right);
        for (std::size_t at = mix(key) & mask_;; at = (at + 1) & mask_) {
            if (slots_[at].key == key) return slots_[at].merge;
            if (slots_[at].key == kFree) return {};
        }
    }

    /// Merges `ids` from index `from` to its end, lowest rank first, leftmost of equals.
    void merge_all(std::vector<Token>& ids, std::size_t from) const;

  private:
    static constexpr std::uint64_t kFree = ~0ULL;
    struct Slot {
        std::uint64_t key = kFree;
        Merge merge;
    };
    static std::uint64_t key_of(Token left, Token right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
               static_cast<std::uint32_t>(right);
    }
    void merge_short(Token* ids, std::size_t& n) const;
    std::size_t merge_long(Token* ids, std::size_t n) const;

    std::vector<Slot> slots_ = std::vector<Slot>(2);
    std::size_t mask_ = 1;
    std::size_t used_ = 0;
};

}  // namespace tinyllm
