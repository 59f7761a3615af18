// Timing one (threads, cache types, depth) setting of a model: prompt processing and token generation, as
// llama-bench defines them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {

struct BenchTest {
    std::int64_t n_prompt = 0;  ///< > 0: one prefill of this many tokens behind the depth
    std::int64_t n_gen = 0;     ///< > 0: this many single-token steps behind the depth
    std::int64_t n_depth = 0;   ///< positions in the cache before the clock starts
    /// > 0: the log-likelihood of this many continuations of n_answer tokens each, behind a context of
    /// n_prompt
    std::int64_t n_answers = 0;
    std::int64_t n_answer = 0;
    std::string name() const;     ///< "pp512", "tg128 @ d512", "pp100+4x5"
    std::int64_t tokens() const;  ///< that one repetition runs
};

struct BenchSamples {
    std::vector<double> ns;        ///< one per repetition
    std::vector<double> token_ms;  ///< tg: one per token of every repetition
    std::vector<StageUse> stages;  ///< of all repetitions; empty unless the model was loaded with a profile
};

/// `n` ids below vocab_size.
std::vector<Token> random_tokens(std::int64_t n, std::int64_t vocab_size, std::mt19937_64& random);

/// Random but repeatable tokens; logits of the last token are computed in every timed call, as a user would
/// need them. One untimed run comes first; `warm` is called behind it. Throws Error(usage) if the test does
/// not fit the context.
BenchSamples run_test(
    Session& session, const BenchTest& test, int repetitions, const std::function<void()>& warm = [] {});

double mean(const std::vector<double>& values);
/// Of a sample (n - 1); 0 for fewer than two.
double standard_deviation(const std::vector<double>& values);
/// Linear between neighbours, as numpy's default; `share` in [0, 1].
double quantile(std::vector<double> values, double share);

/// Bytes a decode step reads: `decode_bytes` of weights (inspect.h), and the cache at the mean position of
/// the test.
double bytes_per_token(const ModelInfo& model, std::int64_t decode_bytes, const SessionOptions& options,
                       bool exact, const BenchTest& test);

}  // namespace tinyllm
