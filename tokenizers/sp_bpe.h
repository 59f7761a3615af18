// Sentencepiece's BPE: neighbours whose joint text is a piece are merged, highest score first, the leftmost
// of equals. Unlike bpe.h there is no list of merges: any two neighbours may form a piece, also of characters
// that are none. Sources: https://github.com/google/sentencepiece, src/bpe_model.cc; llama.cpp,
// src/llama-vocab.cpp.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tokenizers/added_tokens.h"
#include "tokenizers/token_model.h"

namespace tinyllm {

/// The values are those of the two file formats.
enum class PieceType : std::uint8_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

struct SpPieces {
    std::vector<std::string> text;
    std::vector<float> score;
    std::vector<PieceType> type;
    std::size_t size() const { return text.size(); }
};

struct SpBpeOptions {
    bool byte_fallback = true;
    bool match_any_type = false;     ///< llama.cpp: control and byte pieces form from text as well
    bool user_defined_first = true;  ///< user-defined pieces are found before anything is merged
    Token unk = -1;
};

class SpBpe : public TokenModel {
  public:
    /// Throws Error(corrupt) naming `file`.
    SpBpe(const SpPieces& pieces, const SpBpeOptions& options, const std::string& file);

    void encode(std::string_view word, std::vector<Token>& out) const override;
    const Vocab& vocab() const override { return vocab_; }
    /// Finds user-defined pieces, which normalization leaves alone. Empty if there are none.
    const StringMatcher& user_defined() const { return user_defined_; }

  private:
    struct Symbol;
    struct Work;
    void encode_part(std::string_view part, std::vector<Token>& out) const;
    void offer(Work& work, std::uint32_t left, std::uint32_t right) const;
    void put(const Work& work, std::string_view text, std::vector<Token>& out) const;

    Vocab vocab_;    // every piece
    Vocab matched_;  // those that text can become
    std::vector<float> score_;
    std::vector<bool> unused_;
    SpBpeOptions options_;
    StringMatcher user_defined_;
    std::array<Token, 256> bytes_{};
    bool cut_at_metaspace_ = false;
    enum : unsigned char { kUnknown, kWhole, kSplit };
    std::unique_ptr<std::atomic<unsigned char>[]> whole_;  // as in bpe.h
};

}  // namespace tinyllm
