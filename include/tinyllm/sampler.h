// From logits to the next token.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "tinyllm/export.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

/// Applied in this order: repeat penalty, temperature, top-k, top-p, min-p, draw.
struct SamplerOptions {
    float temperature = 0;   ///< 0: greedy, the first of equals
    std::int32_t top_k = 0;  ///< 0: all
    float top_p = 1;
    float min_p = 0;
    float repeat_penalty = 1;
    std::int32_t repeat_last_n = 64;
    std::uint64_t seed = 0;
};

/// The largest logits of a vocabulary, penalized already: descending, the first of equals first.
struct TopLogits {
    std::span<const Token> tokens;
    std::span<const float> logits;
    std::int64_t vocab = 0;  ///< how many there are in all
    double total = 0;        ///< sum over all of exp((logit - largest) / temperature), where wants_total()
};

/// Deterministic for a seed on every platform.
class TINYLLM_API Sampler {
  public:
    explicit Sampler(const SamplerOptions& options);
    Token sample(std::span<const float> logits, std::span<const Token> history);

    /// The token that sample() would take of all logits, up to the rounding of `total`; nothing, and no draw
    /// is spent, where that may depend on logits that are not among the largest.
    std::optional<Token> sample_top(const TopLogits& top);
    /// How many of the largest logits sample_top() needs, or most often needs, of at most `most`; 0: all.
    std::int32_t wanted(std::int32_t most) const;
    bool wants_total() const { return options_.temperature > 0 && options_.top_k == 0; }
    /// The distinct recent tokens of `history` that the repeat penalty is for; empty without one.
    std::vector<Token> penalized(std::span<const Token> history) const;
    const SamplerOptions& options() const { return options_; }

  private:
    struct Candidate;
    /// `all`: the candidates are the first of more, which weigh that much together; 0: they are all.
    std::optional<Token> draw(std::vector<Candidate> candidates, double all);

    SamplerOptions options_;
    std::mt19937_64 random_;
};

}  // namespace tinyllm
