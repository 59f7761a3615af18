// What the protocols need of a model, as plain functions, so that they can be tested without one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm::eval {

struct Scorer {
    /// Ids of a text, with or without what the tokenizer adds by itself.
    std::function<std::vector<Token>(std::string_view text, bool add_special)> encode;
    std::function<std::vector<std::vector<Score>>(std::span<const ScoreRequest>)> loglikelihood;
    /// Logits behind the last token of one prompt; of an encoder-decoder's first step.
    std::function<std::vector<float>(const std::vector<Token>&)> last_logits;
    std::optional<Token> prefix;  ///< stands for an empty context: BOS, else EOS
    std::string prefix_text;      ///< how it is written
    std::int64_t context = 0;     ///< most positions
    bool encoder_decoder = false;
};

/// A scorer that runs `model` in one session of its own, as `options` have it. Throws Error.
Scorer make_scorer(std::shared_ptr<const Model> model, const SessionOptions& options = {});

}  // namespace tinyllm::eval
