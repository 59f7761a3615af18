// The "decoder" section of tokenizer.json as a chain of stages through which token spellings flow one by one.
// Decoding a whole sequence and streaming it are the same code, so both give the same text; each stage holds
// back what may still change.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/json_node.h"

namespace tinyllm {

/// State of one stage for one sequence. Tokens are pushed in order, then finish() is called once.
class DecodeStage {
  public:
    virtual ~DecodeStage() = default;
    virtual void push(std::string token) = 0;
    virtual void finish() { next->finish(); }
    DecodeStage* next = nullptr;  // set by DecodeChain; the last stage's is null
};

/// What the file says; makes fresh stages for every sequence.
class Decoder {
  public:
    virtual ~Decoder() = default;
    /// `fused` is true once all tokens before have become one (of which the stages then get successive
    /// parts).
    virtual void add_stages(std::vector<std::unique_ptr<DecodeStage>>& stages, bool& fused) const = 0;
};

/// Null for a null node. Throws Error: unsupported (names the node), corrupt.
std::unique_ptr<Decoder> parse_decoder(const JsonNode& node);

/// Spaces for U+2581, bytes for "<0x0A>", one text; `strip`: without the space at its start. As transformers
/// gives Llama.
std::unique_ptr<Decoder> make_sentencepiece_decoder(bool strip, const std::string& file);

/// One sequence on its way from tokens to text.
class DecodeChain {
  public:
    /// Without a decoder tokens are joined by spaces. `clean_up` removes the spaces that transformers'
    /// clean_up_tokenization_spaces removes.
    DecodeChain(const Decoder* decoder, bool clean_up);
    ~DecodeChain();

    void push(std::string token) { stages_.front()->push(std::move(token)); }
    void finish() { stages_.front()->finish(); }
    /// Text that is final by now and was not taken yet.
    std::string take();

  private:
    std::vector<std::unique_ptr<DecodeStage>> stages_;
    std::string text_;
};

}  // namespace tinyllm
