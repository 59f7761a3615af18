#include "tools/bench_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "engine/fail.h"

namespace tinyllm {
namespace {

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

}  // namespace

std::vector<Token> random_tokens(std::int64_t n, std::int64_t vocab_size, std::mt19937_64& random) {
    std::vector<Token> tokens(static_cast<std::size_t>(n));
    for (Token& token : tokens) token = static_cast<Token>(random() % static_cast<std::uint64_t>(vocab_size));
    return tokens;
}

std::string BenchTest::name() const {
    if (n_answers > 0) return fmt::format("pp{}+{}x{}", n_prompt, n_answers, n_answer);
    const std::string test = n_prompt > 0 ? fmt::format("pp{}", n_prompt) : fmt::format("tg{}", n_gen);
    return n_depth > 0 ? fmt::format("{} @ d{}", test, n_depth) : test;
}

std::int64_t BenchTest::tokens() const {
    return n_prompt + n_gen + n_answers * n_answer;
}

BenchSamples run_test(Session& session, const BenchTest& test, int repetitions,
                      const std::function<void()>& warm) {
    const std::int64_t n = test.tokens();
    const std::int64_t needed = test.n_depth + (test.n_answers > 0 ? test.n_prompt + test.n_answer : n) +
                                (session.model().info().encoder_decoder && test.n_gen > 0 ? 1 : 0);
    if (needed > session.context()) {
        fail(ErrorKind::usage, "{}: needs {} positions, the context holds {}", test.name(), needed,
             session.context());
    }
    std::mt19937_64 random(1);
    const std::vector<Token> tokens =
        random_tokens(test.n_depth + n, session.model().info().vocab_size, random);
    session.truncate(0);
    const std::span<const Token> all(tokens);
    const std::span<const Token> timed = all.subspan(static_cast<std::size_t>(test.n_depth));
    // An encoder-decoder's prompt is what its encoder reads, and the tokens are its decoder's behind the
    // depth.
    const bool encodes = session.model().info().encoder_decoder;
    if (encodes && test.n_prompt > 0 && test.n_depth > 0)
        fail(ErrorKind::usage, "{}: an encoder reads its prompt at once, behind nothing", test.name());
    if (encodes && test.n_gen > 0) session.prefill(all.first(1));
    session.prefill(all.first(static_cast<std::size_t>(test.n_depth)));
    const std::int64_t start = session.position();
    ScoreRequest question;
    if (test.n_answers > 0) {
        const auto after = timed.begin() + test.n_prompt;
        question.context.assign(timed.begin(), after);
        for (std::int64_t i = 0; i < test.n_answers; ++i)
            question.continuations.emplace_back(after + i * test.n_answer, after + (i + 1) * test.n_answer);
    }

    BenchSamples samples;
    for (int i = -1; i < repetitions; ++i) {  // the first one warms up and is not counted
        session.truncate(start);
        if (i == 0) {
            session.model().clear_profile();
            warm();
        }
        const Clock::time_point begin = Clock::now();
        std::vector<double> token_ms;
        if (test.n_answers > 0) {
            session.loglikelihood(std::span(&question, 1));
        } else if (test.n_prompt > 0) {
            session.prefill(timed);
            session.logits();
        } else {
            for (std::size_t at = 0; at < timed.size(); ++at) {
                const Clock::time_point step = Clock::now();
                session.prefill(timed.subspan(at, 1));
                session.logits();
                token_ms.push_back(ns_since(step) / 1e6);
            }
        }
        const double ns = ns_since(begin);
        if (i < 0) continue;
        samples.ns.push_back(ns);
        samples.token_ms.insert(samples.token_ms.end(), token_ms.begin(), token_ms.end());
    }
    samples.stages = session.model().profile();
    return samples;
}

double mean(const std::vector<double>& values) {
    if (values.empty()) return 0;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
    if (values.size() < 2) return 0;
    const double middle = mean(values);
    double sum = 0;
    for (double value : values) sum += (value - middle) * (value - middle);
    return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double quantile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

double bytes_per_token(const ModelInfo& model, std::int64_t decode_bytes, const SessionOptions& options,
                       bool exact, const BenchTest& test) {
    const CacheTypes cache = cache_types(options, exact);
    const std::int64_t width = model.n_kv_heads * model.head_dim;
    const auto per_position = static_cast<double>(model.n_layers) *
                              static_cast<double>(row_bytes(cache.k, width) + row_bytes(cache.v, width));
    const double positions = static_cast<double>(test.n_depth) + (static_cast<double>(test.n_gen) + 1) / 2;
    return static_cast<double>(decode_bytes) + per_position * positions;
}

}  // namespace tinyllm
