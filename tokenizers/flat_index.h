// Which of many things has a key: open addressing over slots of 32 bits. The things lie elsewhere, numbered
// in order; a slot holds a thing's number + 1 and, in the bits that the numbers leave, part of the key's
// hash, so that a thing with another key is seldom looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tinyllm {

class FlatIndex {
  public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    /// The number of the thing with `hash` for which same(number) holds, else kNone.
    template <typename Same>
    std::uint32_t find(std::uint64_t hash, const Same& same) const {
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
            const std::uint32_t slot = slots_[at];
            if (slot == 0) return kNone;
            if ((slot & ~mask_) == tag && same((slot & mask_) - 1)) return (slot & mask_) - 1;
        }
    }

    /// Whether `things` numbers do not fit well; reset() to more then, and add all again.
    bool too_small(std::size_t things) const { return things * 3 > slots_.size() * 2; }
    /// Empty, with room for `things` numbers, fewer than 2^30.
    void reset(std::size_t things) {
        std::size_t slots = kLeast;
        while (things * 3 > slots * 2) slots *= 2;
        slots_.assign(slots, 0);
        mask_ = static_cast<std::uint32_t>(slots - 1);
    }

    /// Of a key that is not there; there must be room.
    void add(std::uint64_t hash, std::uint32_t number) {
        std::size_t at = hash & mask_;
        while (slots_[at] != 0) at = (at + 1) & mask_;
        slots_[at] = tag_of(hash) | (number + 1);
    }
    /// Gives the key of thing `from`, which is there, to thing `to`.
    void replace(std::uint64_t hash, std::uint32_t from, std::uint32_t to) {
        std::size_t at = hash & mask_;
        while ((slots_[at] & mask_) != from + 1) at = (at + 1) & mask_;
        slots_[at] = tag_of(hash) | (to + 1);
    }

  private:
    static constexpr std::size_t kLeast = 64;
    std::uint32_t tag_of(std::uint64_t hash) const { return static_cast<std::uint32_t>(hash >> 32) & ~mask_; }

    std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(kLeast);
    std::uint32_t mask_ = kLeast - 1;
};

}  // namespace tinyllm
