// Spelling <-> id. The text of all entries lies in one string; two flat tables find entries by spelling and
// by id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/tokenizer.h"

namespace tinyllm {

class Vocab {
  public:
    /// Ids above this are refused: they would cost memory, and no tokenizer has them.
    static constexpr std::int64_t kMaxId = (1 << 22) - 1;

    void reserve(std::size_t entries, std::size_t bytes);

    /// The last id given to a spelling counts, and the last spelling given to an id. With `keep_earlier` an
    /// id whose spelling gets another one still has it. Throws Error(corrupt) naming `file` when the id is
    /// out of range.
    void add(std::string_view spelling, std::int64_t id, const std::string& file, bool keep_earlier = false);

    Token find(std::string_view spelling) const;  ///< -1 if absent
    std::string_view piece(Token id) const;       ///< empty if absent
    bool has(Token id) const;
    std::size_t size() const { return count_; }  ///< spellings; with keep_earlier, ids
    std::int64_t id_end() const { return static_cast<std::int64_t>(by_id_.size()); }  ///< largest id + 1

  private:
    struct Entry {
        std::uint32_t offset, length;
        Token id;
        std::uint32_t hash;
    };
    std::string_view spelling(const Entry& e) const {
        return std::string_view(text_).substr(e.offset, e.length);
    }
    void grow(std::size_t slots);

    std::string text_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> slots_;  // entry + 1, 0: free
    std::vector<std::uint32_t> by_id_;  // entry + 1, 0: no such id
    std::size_t count_ = 0;
};

}  // namespace tinyllm
