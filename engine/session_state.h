// What a session holds, for the files that implement it.
#pragma once

#include <memory>
#include <vector>

#include "engine/decoder.h"
#include "tinyllm/session.h"

namespace tinyllm {

struct Session::State {
    std::shared_ptr<const Model> model;
    SessionOptions options;
    std::int64_t context = 0;
    std::shared_ptr<Decoder> decoder;
    Sequence sequence;
    std::vector<Token> tokens{};          // of the sequence
    Sequence encoded;                     // what an encoder made of the context; empty: none was read yet
    std::shared_ptr<std::byte> hidden{};  // what the head reads of the last row, (head width)
    bool has_hidden = false;
    Phase phase = Phase::prompt;  // in which it was made
    std::vector<float> logits{};  // of the last row, once asked for
    bool has_logits = false;

    Backend& backend() const { return model->backend(); }
    bool has_encoder() const { return decoder->has_encoder(); }
    /// Null without an encoder.
    const Sequence* encoded_or_null() const { return has_encoder() ? &encoded : nullptr; }
    /// Throws Error(usage) unless the encoder can read it.
    void check_encodable(std::span<const Token> context) const;
    /// Throws Error(usage) naming a token outside the vocabulary.
    void check_tokens(std::span<const Token> tokens) const;
    /// Keeps what the head reads of row `row` of the last step.
    void keep_hidden(std::int32_t row);
    /// Has the encoder read `context` and the decoder begin; needs the backend's mutex.
    void encode(std::span<const Token> context);
    /// Runs `tokens` behind the sequence; needs the backend's mutex. Without `wait` the device may still be
    /// at it, and what it meets is that of the next call that wants a result.
    void run(std::span<const Token> tokens, bool wait = true);
    /// Forgets what lies behind the first `n` positions, and what was made of it.
    void rewind(std::int64_t n);
    /// Throws Error(usage) unless something was run that logits can be had of.
    void check_has_hidden() const;
    /// Fills `logits`; needs the backend's mutex.
    void compute_logits();
    /// Draws the token behind the last one; needs the backend's mutex.
    Token next(Sampler& sampler);
};

/// What an encoder makes of several contexts, for as long as decoders read it; nothing without an encoder.
class Encodings {
  public:
    /// Needs the backend's mutex.
    Encodings(Decoder& decoder, std::span<const std::span<const Token>> contexts, std::int32_t chunk) {
        if (!decoder.has_encoder()) return;
        sequences_.assign(contexts.size(), Sequence(decoder.pool()));
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < contexts.size(); ++i) jobs.push_back({&sequences_[i], contexts[i]});
        decoder.encode(jobs, chunk);
    }
    /// Of context `i`; null without an encoder.
    const Sequence* of(std::size_t i) const { return sequences_.empty() ? nullptr : &sequences_[i]; }

  private:
    std::vector<Sequence> sequences_;
};

}  // namespace tinyllm
