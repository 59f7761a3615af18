// One question put to a model under either protocol: text to token ids to scores to an answer.
// The token rules are the harness's; where a context ends decides every figure behind it.
#pragma once

#include <vector>

#include "tools/eval/scorer.h"
#include "tools/eval/task.h"

namespace tinyllm::eval {

/// A (context, continuation) pair as the model sees it.
struct PairTokens {
    std::vector<Token> context, continuation;
};

/// The harness's split: white space at the context's end moves to the continuation; both are encoded together
/// and the context's ids are cut off the front, or, for an encoder-decoder, each by itself, the continuation
/// without special tokens; an empty context becomes the prefix token. Throws
/// Error(runtime) where the harness aborts; `place` names the question.
PairTokens encode_pair(const Scorer& scorer, const Pair& pair, const std::string& place);

/// A question in tokens.
struct Prepared {
    std::vector<PairTokens> pairs;                           // lm-eval
    std::vector<ScoreRequest> requests;                      // the pairs grouped by context
    std::vector<std::pair<std::size_t, std::size_t>> slots;  // pair -> (request, continuation)
    std::vector<Token> prompt;                               // study
    std::size_t cut = 0;     // requests (lm-eval) or prompts (study) that lost tokens
    std::size_t tokens = 0;  // run by the model
};

/// How a model answered one question.
struct Answer {
    std::vector<double> scores;  ///< lm-eval: log-likelihood of each choice; study: logit of each letter
    std::vector<bool>
        greedy;          ///< lm-eval: the continuation is the greedy one; study: the letter is the prediction
    int prediction = 0;  ///< first of the largest scores
    int prediction_norm = 0;  ///< the same of score / length; lm-eval only
    int gold = 0;             ///< study: -1 where no letter is right
    double ms = 0;            ///< the model's run alone: all choices (lm-eval), the forward pass (study)
    std::size_t cut = 0;
    std::size_t tokens = 0;
};

/// Puts questions of one protocol to one model.
class Asker {
  public:
    Asker(Scorer scorer, Protocol protocol);

    Prepared prepare(const Example& example, const std::string& place) const;

    /// Runs `prepared[i]`, which belongs to `examples[i]`, as one batch. `ms` of each answer is the batch's
    /// time divided evenly.
    std::vector<Answer> answer(std::span<const Prepared* const> prepared,
                               std::span<const Example* const> examples) const;

    Protocol protocol() const { return protocol_; }
    const Scorer& scorer() const { return scorer_; }

  private:
    Answer answer_study(const Prepared& prepared, const Example& example) const;

    Scorer scorer_;
    Protocol protocol_;
    std::vector<Token> letters_;  // ids of " A".." D"; study only
};

/// Index of the first largest value: numpy's argmax.
int argmax(const std::vector<double>& values);

/// The study's prompt: cut on the right to `most` ids, what the tokenizer puts around a text kept.
std::vector<Token> encode_truncated(const Scorer& scorer, std::string_view text, std::size_t most,
                                    bool* was_cut);

}  // namespace tinyllm::eval
