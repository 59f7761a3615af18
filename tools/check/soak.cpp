#include "tools/check/soak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <random>

#include "tools/bench_run.h"
#include "tools/board.h"

namespace tinyllm::check {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void run_round(const std::shared_ptr<const Model>& model, const SessionOptions& session_options,
               const SoakOptions& options, std::mt19937_64& random, SoakRound& round) {
    const std::int64_t vocab = model->info().vocab_size;
    Session session(model, session_options);
    // Lengths differ, as users' do.
    const std::int64_t n =
        options.n_prompt -
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>((options.n_prompt + 3) / 4));
    session.prefill(random_tokens(n, vocab, random));
    session.logits();
    GenerateOptions generate;
    generate.max_tokens = options.n_gen;
    generate.ignore_eos = true;
    generate.sampler.temperature = 1;
    generate.sampler.seed = random();
    const Clock::time_point start = Clock::now();
    Session fork = session.fork();
    const std::size_t written = session.generate(generate).size();
    round.token_ms = milliseconds_since(start) / static_cast<double>(std::max<std::size_t>(written, 1));
    fork.prefill(random_tokens(1, vocab, random));
    const ScoreRequest question{random_tokens(n, vocab, random),
                                {random_tokens(1, vocab, random), random_tokens(1, vocab, random)}};
    session.loglikelihood(std::span(&question, 1));
}

}  // namespace

std::vector<SoakRound> soak(const std::shared_ptr<const Model>& model, const SessionOptions& session,
                            const SoakOptions& options,
                            const std::function<bool(const SoakRound&)>& on_round) {
    std::mt19937_64 random(1);
    std::vector<SoakRound> rounds;
    const Clock::time_point start = Clock::now();
    do {
        SoakRound round;
        run_round(model, session, options, random, round);
        round.resident = resident_bytes().value_or(0);
        round.seconds = milliseconds_since(start) / 1000;
        rounds.push_back(round);
    } while (on_round(rounds.back()) && rounds.back().seconds < options.seconds);
    return rounds;
}

SoakVerdict judge(const std::vector<SoakRound>& rounds) {
    constexpr std::size_t kLeastRounds = 16, kParts = 8, kLeastSteps = 5;
    constexpr std::int64_t kMostGrowth = std::int64_t{1} << 20;
    SoakVerdict verdict;
    if (rounds.empty()) return verdict;
    const double end = rounds.back().seconds, begin = end / 4;
    std::array<std::int64_t, kParts> least;
    least.fill(std::numeric_limits<std::int64_t>::max());
    std::vector<double> token_ms;
    for (const SoakRound& round : rounds) {
        if (round.seconds < begin) continue;
        const auto part = static_cast<std::size_t>((round.seconds - begin) / (end - begin) * kParts);
        std::int64_t& of_part = least[std::min(part, kParts - 1)];
        of_part = std::min(of_part, round.resident);
        token_ms.push_back(round.token_ms);
    }
    // A part in which no round ended is as the one before it; the last one has the last round.
    for (std::size_t i = 0; i < kParts; ++i) {
        if (least[i] == std::numeric_limits<std::int64_t>::max())
            least[i] = i > 0 ? least[i - 1] : rounds.front().resident;
    }
    verdict.first_resident = least.front();
    verdict.last_resident = least.back();
    const std::int64_t growth = least.back() - least.front();
    // From the middle of the first part to the middle of the last.
    verdict.bytes_per_minute = static_cast<double>(growth) / ((end - begin) * (kParts - 1) / kParts) * 60;
    std::size_t steps = 0;
    for (std::size_t i = 1; i < kParts; ++i) steps += least[i] > least[i - 1];
    verdict.leaks = rounds.size() >= kLeastRounds && growth > kMostGrowth && steps >= kLeastSteps;
    const auto quarter = static_cast<std::ptrdiff_t>((token_ms.size() + 3) / 4);
    verdict.first_token_ms = quantile({token_ms.begin(), token_ms.begin() + quarter}, 0.5);
    verdict.last_token_ms = quantile({token_ms.end() - quarter, token_ms.end()}, 0.5);
    verdict.drift = verdict.last_token_ms > 0 ? verdict.first_token_ms / verdict.last_token_ms - 1 : 0;
    return verdict;
}

}  // namespace tinyllm::check
