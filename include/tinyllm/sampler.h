// From logits to the next token.
#pragma once

#include <cstdint>
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

/// Deterministic for a seed on every platform.
class TINYLLM_API Sampler {
  public:
    explicit Sampler(const SamplerOptions& options);
    Token sample(std::span<const float> logits, std::span<const Token> history);

  private:
    SamplerOptions options_;
    std::mt19937_64 random_;
};

}  // namespace tinyllm
