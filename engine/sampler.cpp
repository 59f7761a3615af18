#include "tinyllm/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/fail.h"

namespace tinyllm {
namespace {

// [0, 1) from the upper 53 bits: the standard's distributions differ between libraries.
double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

}  // namespace

struct Sampler::Candidate {
    Token token;
    double weight;  // not normalised
};

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
    const auto check = [](bool good, std::string_view name, double found, std::string_view expected) {
        if (!good) fail(ErrorKind::usage, "sampling: {}: expected {}, found {}", name, expected, found);
    };
    const SamplerOptions& o = options_;
    check(std::isfinite(o.temperature) && o.temperature >= 0, "temperature", o.temperature, "0 or more");
    check(o.top_k >= 0, "top_k", o.top_k, "0 or more");
    check(o.top_p > 0 && o.top_p <= 1, "top_p", o.top_p, "more than 0, at most 1");
    check(o.min_p >= 0 && o.min_p <= 1, "min_p", o.min_p, "0 to 1");
    check(std::isfinite(o.repeat_penalty) && o.repeat_penalty > 0, "repeat_penalty", o.repeat_penalty,
          "more than 0");
    check(o.repeat_last_n >= 0, "repeat_last_n", o.repeat_last_n, "0 or more");
}

Token Sampler::sample(std::span<const float> logits, std::span<const Token> history) {
    std::vector<float> changed;
    if (options_.repeat_penalty != 1) {
        changed.assign(logits.begin(), logits.end());
        for (const Token token : penalized(history)) {
            if (token < 0 || static_cast<std::size_t>(token) >= changed.size()) continue;
            float& logit = changed[static_cast<std::size_t>(token)];
            logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
        }
        logits = changed;
    }
    const auto best = std::ranges::max_element(logits);
    if (options_.temperature == 0) return static_cast<Token>(best - logits.begin());

    std::vector<Candidate> candidates(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const double weight = std::exp((static_cast<double>(logits[i]) - *best) / options_.temperature);
        candidates[i] = {static_cast<Token>(i), weight};
    }
    // Ties stand in the order of the vocabulary, so that the cut is the same everywhere.
    const auto before = [](const Candidate& a, const Candidate& b) {
        return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
    };
    std::size_t kept = candidates.size();
    if (options_.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(options_.top_k));
    std::ranges::partial_sort(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(kept), before);
    candidates.resize(kept);
    return *draw(std::move(candidates), 0);
}

std::vector<Token> Sampler::penalized(std::span<const Token> history) const {
    if (options_.repeat_penalty == 1) return {};
    const auto last = static_cast<std::size_t>(std::max(options_.repeat_last_n, 0));
    if (history.size() > last) history = history.last(last);
    std::vector<Token> seen(history.begin(), history.end());
    std::ranges::sort(seen);
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    return seen;
}

std::int32_t Sampler::wanted(std::int32_t most) const {
    if (options_.temperature == 0) return 1;
    if (options_.top_k > most) return 0;
    return options_.top_k > 0 ? options_.top_k : most;
}

std::optional<Token> Sampler::sample_top(const TopLogits& top) {
    if (options_.temperature == 0) return top.tokens.front();
    const auto all = static_cast<std::size_t>(top.vocab);
    const std::size_t kept =
        options_.top_k > 0 ? std::min(all, static_cast<std::size_t>(options_.top_k)) : all;
    const std::size_t n = std::min(kept, top.tokens.size());
    if (n < kept && !wants_total()) return std::nullopt;
    std::vector<Candidate> candidates(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double distance = static_cast<double>(top.logits[i]) - top.logits[0];
        candidates[i] = {top.tokens[i], std::exp(distance / options_.temperature)};
    }
    const std::mt19937_64 before = random_;
    const std::optional<Token> token = draw(std::move(candidates), n < kept ? top.total : 0);
    if (!token) random_ = before;
    return token;
}

std::optional<Token> Sampler::draw(std::vector<Candidate> candidates, double all) {
    const auto total = [&] {
        if (all > 0) return all;
        return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                               [](double sum, const Candidate& c) { return sum + c.weight; });
    };
    if (options_.top_p < 1) {  // the fewest whose share reaches top_p
        const double enough = options_.top_p * total();
        double sum = 0;
        std::size_t n = 0;
        while (n < candidates.size() && sum < enough) sum += candidates[n++].weight;
        if (all > 0 && !(sum >= enough)) return std::nullopt;
        candidates.resize(std::max<std::size_t>(n, 1));
        all = 0;
    }
    if (options_.min_p > 0) {  // at least min_p times as likely as the best
        const double least = options_.min_p * candidates.front().weight;
        if (all > 0 && !(candidates.back().weight < least)) return std::nullopt;
        all = 0;
        std::erase_if(candidates, [&](const Candidate& c) { return c.weight < least; });
    }
    double left = uniform(random_) * total();
    for (const Candidate& candidate : candidates) {
        left -= candidate.weight;
        if (left < 0) return candidate.token;
    }
    if (all > 0) return std::nullopt;
    return candidates.back().token;
}

}  // namespace tinyllm
