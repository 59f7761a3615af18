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
    std::vector<Token> tokens;          // of the sequence
    std::shared_ptr<std::byte> hidden;  // what the head reads of the last row, (head width)
    bool has_hidden = false;
    std::vector<float> logits;  // of the last row, once asked for
    bool has_logits = false;

    Backend& backend() const { return model->backend(); }
    /// Throws Error(usage) naming a token outside the vocabulary.
    void check_tokens(std::span<const Token> tokens) const;
    /// Keeps what the head reads of row `row` of the last step.
    void keep_hidden(std::int32_t row);
    /// Runs `tokens` behind the sequence; needs the backend's mutex.
    void run(std::span<const Token> tokens);
};

}  // namespace tinyllm
