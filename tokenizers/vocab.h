// Spelling <-> id. The texts of all entries lie in one string, found by text through a flat index and by id
// through their order. The vocabulary of a byte-level model may be held as the bytes that its spellings stand
// for, which is what it is asked for while a text is encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/tokenizer.h"
#include "tokenizers/flat_index.h"

namespace tinyllm {

class Vocab {
  public:
    /// Ids above this are refused: they would cost memory, and no tokenizer has them.
    static constexpr std::int64_t kMaxId = (1 << 22) - 1;

    /// What find_text() is given: spellings, or the bytes that GPT-2's characters in them stand for.
    enum class Held { spellings, bytes };
    explicit Vocab(Held held = Held::spellings) : held_(held) {}

    void reserve(std::size_t entries, std::size_t bytes);

    /// The last id given to a spelling counts, and the last spelling given to an id. With `keep_earlier` an
    /// id whose spelling gets another one still has it. Throws Error(corrupt) naming `file` when the id is
    /// out of range, or there are more than 2^30 spellings or 2 GiB of them.
    void add(std::string_view spelling, std::int64_t id, const std::string& file, bool keep_earlier = false);

    Held held() const { return held_; }
    Token find(std::string_view spelling) const;  ///< -1 if absent
    std::string piece(Token id) const;            ///< the spelling; empty if absent
    bool has(Token id) const { return entry_of(id) != FlatIndex::kNone; }
    std::size_t size() const { return count_; }  ///< spellings; with keep_earlier, ids
    std::int64_t id_end() const {                ///< largest id + 1
        return static_cast<std::int64_t>(ids_.empty() ? entries() : by_id_.size());
    }

    /// By the text as it is held; -1 if absent. Spellings that stand for no bytes are not found.
    Token find_text(std::string_view text) const;
    /// True only if find_text(text) is `id`; cheaper than that.
    bool is_text(Token id, std::string_view text) const;
    /// Appends the text by which `spelling` is held; false, and nothing appended, if it stands for no bytes.
    bool to_text(std::string_view spelling, std::string& text) const;

  private:
    // Of an entry's begin in text_: in a vocabulary of bytes the entry is a spelling that stands for none.
    static constexpr std::uint32_t kSpelled = 0x80000000;

    std::size_t entries() const { return begins_.size() - 1; }
    std::string_view text_of(std::uint32_t entry) const {
        const std::uint32_t begin = begins_[entry] & ~kSpelled;
        return {text_.data() + begin, (begins_[entry + 1] & ~kSpelled) - begin};
    }
    static std::uint64_t hash_of(std::string_view text, std::uint32_t spelled);
    std::uint32_t find_entry(std::uint64_t hash, std::string_view text, std::uint32_t spelled) const;
    Token id_of(std::uint32_t entry) const {
        if (entry == FlatIndex::kNone) return -1;
        return ids_.empty() ? static_cast<Token>(entry) : ids_[entry];
    }
    std::uint32_t entry_of(Token id) const;
    void grow(std::size_t entries);
    void list_ids();

    Held held_;
    std::string text_;
    std::vector<std::uint32_t> begins_ = {0};  // and the end; of a spelled entry with kSpelled
    FlatIndex index_;
    // Both empty as long as ids count the entries, as in nearly every file.
    std::vector<Token> ids_;
    std::vector<std::uint32_t> by_id_;  // entry, or kNone
    std::size_t count_ = 0;
};

}  // namespace tinyllm
