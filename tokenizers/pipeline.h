// The tokenizer itself: added tokens are cut out, the rest is normalized, cut into words, and encoded word by
// word.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tinyllm/tokenizer.h"
#include "tokenizers/added_tokens.h"
#include "tokenizers/decoder.h"
#include "tokenizers/normalizer.h"
#include "tokenizers/post_processor.h"
#include "tokenizers/pre_tokenizer.h"
#include "tokenizers/token_model.h"

namespace tinyllm {

struct TokenizerSpec;

/// What the files beside tokenizer.json say.
struct TokenizerExtras {
    std::optional<std::string> bos, eos;   // spellings
    std::vector<AddedToken> added;         // on top of tokenizer.json's
    bool clean_up = false;                 // clean_up_tokenization_spaces
    bool replaces_post_processor = false;  // by [before] sequence [after]
    std::optional<std::string> before, after;
};

/// The parts of a tokenizer, in the order in which a text meets them. Any but `model` may be null.
struct PipelineParts {
    AddedTokens added;  // finished
    std::unique_ptr<Normalizer> normalizer;
    std::unique_ptr<PreTokenizer> pre_tokenizer;
    std::unique_ptr<TokenModel> model;
    PostProcessor post_processor;
    std::unique_ptr<Decoder> decoder;
};

class Pipeline : public Tokenizer {
  public:
    Pipeline(PipelineParts parts, const TokenizerExtras& extras);

    std::vector<Token> encode(std::string_view text, EncodeOptions options) const override;
    std::string decode(std::span<const Token> tokens, DecodeOptions options) const override;
    std::unique_ptr<TextStream> stream(DecodeOptions options) const override;
    std::string piece(Token token) const override;
    std::optional<Token> find(std::string_view piece) const override;
    std::int64_t vocab_size() const override;
    std::optional<Token> bos() const override { return bos_; }
    std::optional<Token> eos() const override { return eos_; }
    bool is_special(Token token) const override;

  private:
    class Stream;
    void encode_text(std::string text, bool at_start, bool parse_special, std::vector<Token>& out) const;
    void encode_words(std::string_view text, bool at_start, std::vector<Token>& out) const;
    std::string spelling(Token token, bool& known) const;

    PipelineParts parts_;
    bool clean_up_;
    std::optional<Token> bos_, eos_;
};

/// Builds the parts node by node. Throws Error: unsupported (names the file and the node), corrupt.
std::shared_ptr<const Tokenizer> build_tokenizer(const TokenizerSpec& spec, const TokenizerExtras& extras);

}  // namespace tinyllm
