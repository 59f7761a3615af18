// What a model answers to a few fixed prompts, and how far another run of it is from that: whether a port, a
// compiler or a board computes what the one before it did.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tinyllm/session.h"

namespace tinyllm::check {

/// One prompt's answer.
struct Answer {
    std::string text;  ///< empty where the prompt was given as tokens
    std::vector<Token> prompt;
    std::vector<Token> top;           ///< the likeliest tokens behind the prompt, the first first
    std::vector<float> top_logprobs;  ///< theirs, natural logarithms
    std::vector<Token> greedy;        ///< what greedy decoding writes, end tokens like all others
    std::vector<float> margins;       ///< by how much each was likelier than the second, in nats
    std::vector<float> logprobs;      ///< of `greedy`, behind the prompt, in one pass
};

/// A model's answers in one precision.
struct Answers {
    bool exact = false;
    std::string backend;  ///< "cpu (avx512_vnni, 2 threads)"
    std::vector<Answer> answers;
};

/// Prompts of several kinds: prose, a question, code, digits and white space, scripts, and a long one.
std::vector<std::string> built_in_prompts();

/// Prompts for a model without a tokenizer: ids spread over the vocabulary.
std::vector<Answer> prompts_of_ids(const ModelInfo& info);
/// What `texts` are in tokens, cut so that an answer fits behind them; none for a text without tokens.
std::vector<Answer> prompts_of(const Model& model, const std::vector<std::string>& texts);

/// Tokens of an answer: 16, less where the context is short.
std::int64_t answer_length(const ModelInfo& info);

/// Runs `prompts`, each of which has its `prompt` tokens, and fills in the rest. Throws Error(runtime) for
/// logits that are no numbers.
Answers run_prompts(const std::shared_ptr<const Model>& model, const SessionOptions& options,
                    std::vector<Answer> prompts);

/// How far a model is from a recorded answer.
struct Deviation {
    bool tokens_differ = false;  ///< the text is other tokens; then nothing else was compared
    double prompt = 0;           ///< largest difference of `top_logprobs`, in nats; infinite for no number
    double text = 0;             ///< likewise of `logprobs`
    /// How many greedy tokens are the recorded ones before the first that is not, and that one's margin.
    std::int64_t agreed = 0;
    double margin = 0;
};

/// Compares the model with `recorded`, prompt by prompt.
std::vector<Deviation> deviations(const std::shared_ptr<const Model>& model, const SessionOptions& options,
                                  const Answers& recorded);

/// Whether a deviation is within `tolerance` nats: another greedy token passes only where the recorded one
/// was no further ahead than the two values may move, which is twice as much.
bool passes(const Deviation& deviation, const Answer& recorded, double tolerance);

}  // namespace tinyllm::check
