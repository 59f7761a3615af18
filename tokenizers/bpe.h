// Byte pair encoding as the tokenizers library does it: of all neighbours the pair with the lowest rank is
// merged first, the leftmost of equals. Source: https://github.com/huggingface/tokenizers,
// tokenizers/src/models/bpe.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/merge_table.h"
#include "tokenizers/text_list.h"
#include "tokenizers/token_model.h"

namespace tinyllm {

struct BpeOptions {
    std::optional<std::string> unk_token;
    std::string continuing_subword_prefix;
    std::string end_of_word_suffix;
    bool fuse_unk = false;
    bool byte_fallback = false;
    bool ignore_merges = false;
};

class Bpe : public TokenModel {
  public:
    /// Whether a model of these options can take raw bytes instead of GPT-2's characters for them: its
    /// vocabulary is then to be one of bytes.
    static bool reads_bytes(const BpeOptions& options);

    /// `merges`: left, right, left, right, ..., in order of rank. Throws Error(corrupt), naming `file`, when
    /// a merge's parts or result are not in `vocab`.
    Bpe(Vocab vocab, const TextList& merges, BpeOptions options, const std::string& file);

    void encode(std::string_view word, std::vector<Token>& out) const override;
    const Vocab& vocab() const override { return vocab_; }

  private:
    void encode_part(std::string_view part, std::vector<Token>& out) const;
    void symbols(std::string_view word, std::vector<Token>& out) const;
    void byte_symbols(std::string_view word, std::vector<Token>& out) const;
    Token unknown() const;
    void add_merges(const TextList& merges);
    void find_boundary(const TextList& merges);

    Vocab vocab_;
    bool bytes_;  // of the vocabulary's texts and of encode()
    BpeOptions options_;
    std::string file_;
    MergeTable merges_;
    std::array<Token, 256> byte_ids_{};  // of single bytes, or of "<0x..>" for the fallback
    bool cut_at_metaspace_ = false;      // no merge crosses the border before a U+2581
    bool unique_ids_ = true;

    // Whether merging a vocabulary entry's own text gives that entry. Filled as words are met; any thread
    // may.
    enum : unsigned char { kUnknown, kWhole, kSplit };
    std::unique_ptr<std::atomic<unsigned char>[]> whole_;
};

}  // namespace tinyllm
