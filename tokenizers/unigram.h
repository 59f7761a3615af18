// Unigram: of all ways to cut a word into pieces the one with the largest sum of scores, found by Viterbi's
// algorithm; among equal sums the first found stays, so sums are added up in the references' order and in
// double precision. Sources: https://github.com/huggingface/tokenizers, tokenizers/src/models/unigram;
// llama.cpp, src/llama-vocab.cpp.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/piece_trie.h"
#include "tokenizers/token_model.h"

namespace tinyllm {

struct UnigramPiece {
    std::string_view text;
    double score = 0;
    bool matched = true;  ///< text can become this piece
};

struct UnigramOptions {
    std::optional<Token> unk;     ///< without one a text with an unknown character is an error
    double unk_score = 0;         ///< of each unknown character
    bool byte_fallback = false;   ///< if the vocabulary has the byte's "<0x..>"
    bool look_up_unknown = true;  ///< a run of unknown characters that is a piece as a whole becomes it
};

class Unigram : public TokenModel {
  public:
    /// Ids are indices of `pieces`. Throws Error(corrupt), naming `file`, when `unk` is none.
    Unigram(const std::vector<UnigramPiece>& pieces, const UnigramOptions& options, const std::string& file);

    /// Time in proportion to word.size() times the longest piece. Throws Error(corrupt) as said above.
    void encode(std::string_view word, std::vector<Token>& out) const override;
    const Vocab& vocab() const override { return vocab_; }

  private:
    /// The best way found to end at one place: its sum, its last piece and where that begins.
    struct Step {
        double score;
        std::uint32_t from;
        Token id;
    };
    struct Part {
        std::uint32_t begin, end;
        Token id;
    };
    std::uint32_t advance(std::string_view word, std::size_t at, Step* steps, std::size_t base) const;
    void emit(std::string_view word, const Step* steps, std::vector<Token>& out) const;
    void emit_unknown(std::string_view run, std::vector<Token>& out) const;

    Vocab vocab_;
    PieceTrie trie_;
    std::vector<double> scores_;
    UnigramOptions options_;
    std::array<Token, 256> bytes_{};
    std::size_t longest_ = 4;  // bytes of a piece
    std::string file_;
};

}  // namespace tinyllm
