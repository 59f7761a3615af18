#include "tools/verify.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/fail.h"
#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {

namespace {

/// One model at a time is in memory.
std::vector<float> logits_of(const std::string& path, std::int64_t& n_tokens) {
    ModelOptions options;
    options.exact = true;
    options.tokenizer = false;
    const auto model = Model::load(path, options);
    n_tokens = std::min<std::int64_t>(32, model->info().context);
    std::vector<Token> prompt;
    for (std::int64_t i = 0; i < n_tokens; ++i) {
        prompt.push_back(static_cast<Token>((i * 7919 + 1) % model->info().vocab_size));  // spread by a prime
    }
    SessionOptions session_options;
    session_options.context = n_tokens;
    Session session(model, session_options);
    session.prefill(prompt);
    const auto logits = session.logits();
    return {logits.begin(), logits.end()};
}

}  // namespace

LogitsDifference compare_logits(const std::string& a, const std::string& b) {
    LogitsDifference result;
    std::int64_t n_tokens = 0;
    const std::vector<float> x = logits_of(a, result.n_tokens);
    const std::vector<float> y = logits_of(b, n_tokens);
    if (x.size() != y.size() || n_tokens != result.n_tokens) {
        fail(ErrorKind::check_failed, "{} has {} logits and {} positions, {} has {} and {}", a, x.size(),
             result.n_tokens, b, y.size(), n_tokens);
    }
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    double difference = 0, deviation = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double d = static_cast<double>(x[i]) - y[i];
        difference += d * d;
        deviation += (x[i] - mean) * (x[i] - mean);
        result.largest = std::max(result.largest, std::abs(d));
    }
    result.relative = deviation > 0 ? std::sqrt(difference / deviation) : std::sqrt(difference);
    return result;
}

}  // namespace tinyllm
