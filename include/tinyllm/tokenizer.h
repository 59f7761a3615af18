// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/export.h"

namespace tinyllm {

using Token = std::int32_t;

struct EncodeOptions {
    bool add_special = true;    ///< what the tokenizer's post-processor adds, such as BOS
    bool parse_special = true;  ///< special tokens written in the text become their ids
};

struct DecodeOptions {
    bool skip_special = false;
};

/// One sequence on its way to text; see StreamDecoder.
class TextStream {
  public:
    virtual ~TextStream() = default;
    virtual std::string append(Token token) = 0;
    virtual std::string finish() = 0;
};

/// Immutable; may be shared between threads.
class TINYLLM_API Tokenizer {
  public:
    virtual ~Tokenizer() = default;

    /// From a Hugging Face folder (tokenizer.json, vocab.json + merges.txt or tokenizer.model) or a .gguf
    /// file. Throws Error: not_found, unsupported (names the node), corrupt.
    static std::shared_ptr<const Tokenizer> load(const std::string& path);

    /// Ids as the reference tokenizer gives them. `text` is any bytes; invalid UTF-8 reads as U+FFFD.
    virtual std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const = 0;

    /// Text of a whole sequence, as the reference's decoder gives it (invalid UTF-8 becomes U+FFFD).
    virtual std::string decode(std::span<const Token> tokens, DecodeOptions options = {}) const = 0;

    /// Starts decoding a sequence of which the tokens come one by one.
    virtual std::unique_ptr<TextStream> stream(DecodeOptions options = {}) const = 0;

    /// The vocabulary's own spelling of a token ("Ġthe", "▁the", "<0x0A>").
    virtual std::string piece(Token token) const = 0;

    /// The id of a vocabulary entry or added token; nothing if it is absent.
    virtual std::optional<Token> find(std::string_view piece) const = 0;

    virtual std::int64_t vocab_size() const = 0;  ///< largest id + 1, added tokens included
    virtual std::optional<Token> bos() const = 0;
    virtual std::optional<Token> eos() const = 0;
    virtual bool is_special(Token token) const = 0;
};

/// Decodes a growing sequence piece by piece and never emits half a character. All it gives out, joined, is
/// what Tokenizer::decode gives for the whole sequence. The tokenizer must outlive it.
class TINYLLM_API StreamDecoder {
  public:
    explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {})
        : stream_(tokenizer.stream(options)) {}

    /// The text that is final since `token`; empty while later tokens may still change it.
    std::string append(Token token) { return stream_->append(token); }

    /// What is left at the end: an unfinished character becomes U+FFFD.
    std::string finish() { return stream_->finish(); }

  private:
    std::unique_ptr<TextStream> stream_;
};

}  // namespace tinyllm
