// Scoring whole batches: each context runs once, its continuations fork the cache and run together.
#include <algorithm>
#include <map>
#include <mutex>

#include "engine/fail.h"
#include "engine/session_state.h"

namespace tinyllm {
namespace {

// A position whose next tokens are scored, and where the results go.
struct Ask {
    std::int64_t row = 0;  // token of the job
    Token target = 0;
    Score* score = nullptr;
};

// One sequence to run, and what is asked of its rows.
struct Run {
    std::vector<Token> tokens;
    std::vector<Ask> asks;  // by row
};

// Continuations that share what stands before their last token: k[:-1] behind the context.
struct Branch : Run {};

// A context and what forks from it.
struct Tree : Run {
    std::map<std::vector<Token>, Branch> branches;
};

// Scores the rows of one step that jobs ask about. `runs` are in the order of the jobs.
template <typename RunPointer>
void score_step(Decoder& decoder, std::span<const JobRows> rows, const std::vector<RunPointer>& runs) {
    std::vector<std::int32_t> at;
    std::vector<std::int32_t> targets;
    std::vector<Score*> scores;
    for (const JobRows& part : rows) {
        for (const Ask& ask : runs[part.job]->asks) {
            if (ask.row < part.offset || ask.row >= part.offset + part.n) continue;
            at.push_back(part.first_row + static_cast<std::int32_t>(ask.row - part.offset));
            targets.push_back(ask.target);
            scores.push_back(ask.score);
        }
    }
    if (at.empty()) return;
    std::vector<float> logprobs(at.size());
    std::vector<std::int32_t> best(at.size());
    decoder.score(at, targets, logprobs.data(), best.data());
    for (std::size_t i = 0; i < at.size(); ++i) {
        scores[i]->logprob += static_cast<double>(logprobs[i]);
        scores[i]->is_greedy &= best[i] == targets[i];
    }
}

// Cuts context + continuation from the left to `most` + 1 tokens, as the harness does, and sorts the rest
// into trees by context.
void add_request(const ScoreRequest& request, std::int64_t most, std::vector<Score>& scores,
                 std::vector<Tree>& trees) {
    const std::size_t first = trees.size();
    scores.resize(request.continuations.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::vector<Token>& k = request.continuations[i];
        const auto keep = static_cast<std::size_t>(std::min<std::int64_t>(
            static_cast<std::int64_t>(request.context.size()), most + 1 - std::ssize(k)));
        std::vector<Token> context(request.context.end() - static_cast<std::ptrdiff_t>(keep),
                                   request.context.end());
        auto tree = std::find_if(trees.begin() + static_cast<std::ptrdiff_t>(first), trees.end(),
                                 [&](const Tree& t) { return t.tokens == context; });
        if (tree == trees.end()) {
            trees.emplace_back().tokens = std::move(context);
            tree = trees.end() - 1;
        }
        scores[i] = {0, static_cast<std::int32_t>(k.size()), true};
        tree->asks.push_back({std::ssize(tree->tokens) - 1, k[0], &scores[i]});
        if (k.size() < 2) continue;
        Branch& branch = tree->branches[std::vector<Token>(k.begin(), k.end() - 1)];
        branch.tokens.assign(k.begin(), k.end() - 1);
        for (std::size_t t = 1; t < k.size(); ++t)
            branch.asks.push_back({static_cast<std::int64_t>(t) - 1, k[t], &scores[i]});
    }
}

}  // namespace

std::vector<std::vector<Score>> Session::loglikelihood(std::span<const ScoreRequest> requests) {
    const State& s = *state_;
    for (const ScoreRequest& request : requests) {
        if (request.context.empty() && !request.continuations.empty()) {
            fail(ErrorKind::usage,
                 "log-likelihood: the context is empty; give it at least the model's first token");
        }
        s.check_tokens(request.context);
        for (const std::vector<Token>& k : request.continuations) {
            if (k.empty() || std::ssize(k) > s.context) {
                fail(ErrorKind::usage,
                     "log-likelihood: a continuation of {} tokens; expected 1 to {}, the model's context",
                     k.size(), s.context);
            }
            s.check_tokens(k);
        }
    }
    std::vector<std::vector<Score>> scores(requests.size());
    std::vector<Tree> trees;
    for (std::size_t i = 0; i < requests.size(); ++i) add_request(requests[i], s.context, scores[i], trees);

    const std::lock_guard lock(s.backend().mutex());
    const std::int32_t chunk = s.options.chunk;
    // As many contexts at a time as fill a step; their caches live until their continuations are done.
    for (std::size_t first = 0; first < trees.size();) {
        std::vector<Tree*> group;
        std::int64_t rows = 0;
        while (first < trees.size() && (group.empty() || rows + std::ssize(trees[first].tokens) <= chunk)) {
            rows += std::ssize(trees[first].tokens);
            group.push_back(&trees[first++]);
        }
        std::vector<Sequence> sequences(group.size(), Sequence(s.decoder->pool()));
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < group.size(); ++i) jobs.push_back({&sequences[i], group[i]->tokens});
        s.decoder->run(jobs, chunk, [&](auto part) { score_step(*s.decoder, part, group); });

        std::vector<Sequence> forks;
        std::vector<Branch*> branches;
        std::int64_t branch_rows = 0;
        const auto flush = [&] {
            std::vector<Job> forked;
            for (std::size_t i = 0; i < forks.size(); ++i) forked.push_back({&forks[i], branches[i]->tokens});
            s.decoder->run(forked, chunk, [&](auto part) { score_step(*s.decoder, part, branches); });
            forks.clear();
            branches.clear();
            branch_rows = 0;
        };
        for (std::size_t i = 0; i < group.size(); ++i) {
            for (auto& [tokens, branch] : group[i]->branches) {
                if (branch_rows > 0 && branch_rows + std::ssize(tokens) > chunk) flush();
                forks.push_back(sequences[i]);
                branches.push_back(&branch);
                branch_rows += std::ssize(tokens);
            }
        }
        flush();
    }
    return scores;
}

std::vector<float> Session::token_logprobs(std::span<const Token> tokens, std::vector<float>* next_logits) {
    const State& s = *state_;
    const std::int64_t n = std::ssize(tokens);
    if (n > s.context) {
        fail(ErrorKind::usage, "the context of {} positions cannot hold {} tokens", s.context, n);
    }
    s.check_tokens(tokens);
    std::vector<float> out(static_cast<std::size_t>(std::max<std::int64_t>(n - 1, 0)));
    const std::lock_guard lock(s.backend().mutex());
    Sequence sequence(s.decoder->pool());
    const Job job{&sequence, tokens};
    s.decoder->run({&job, 1}, s.options.chunk, [&](std::span<const JobRows> rows) {
        const JobRows& part = rows.back();
        const std::int64_t scored = std::min<std::int64_t>(part.n, n - 1 - part.offset);
        std::vector<std::int32_t> at(static_cast<std::size_t>(scored));
        std::vector<std::int32_t> best(at.size());
        for (std::size_t i = 0; i < at.size(); ++i) at[i] = static_cast<std::int32_t>(i);
        if (scored > 0) {
            s.decoder->score(at, tokens.subspan(static_cast<std::size_t>(part.offset) + 1, at.size()),
                             out.data() + part.offset, best.data());
        }
        if (next_logits && part.offset + part.n == n) {
            next_logits->resize(static_cast<std::size_t>(s.model->network().config.vocab_size));
            const std::int32_t last = part.n - 1;
            s.decoder->logits({&last, 1}, next_logits->data());
        }
    });
    return out;
}

std::vector<std::vector<float>> Session::last_logits(std::span<const std::vector<Token>> prompts) {
    const State& s = *state_;
    for (const std::vector<Token>& prompt : prompts) {
        if (prompt.empty() || std::ssize(prompt) > s.context) {
            fail(ErrorKind::usage, "a prompt of {} tokens; expected 1 to {}, the context", prompt.size(),
                 s.context);
        }
        s.check_tokens(prompt);
    }
    const auto vocab = static_cast<std::size_t>(s.model->network().config.vocab_size);
    std::vector<std::vector<float>> out(prompts.size());
    const std::lock_guard lock(s.backend().mutex());
    for (std::size_t first = 0; first < prompts.size();) {
        const std::size_t begin = first;
        std::int64_t rows = 0;
        while (first < prompts.size() &&
               (first == begin || rows + std::ssize(prompts[first]) <= s.options.chunk)) {
            rows += std::ssize(prompts[first++]);
        }
        std::vector<Sequence> sequences(first - begin, Sequence(s.decoder->pool()));
        std::vector<Job> jobs;
        for (std::size_t i = begin; i < first; ++i) jobs.push_back({&sequences[i - begin], prompts[i]});
        s.decoder->run(jobs, s.options.chunk, [&](std::span<const JobRows> parts) {
            std::vector<std::int32_t> last;
            std::vector<std::size_t> of;
            for (const JobRows& part : parts) {
                if (part.offset + part.n < std::ssize(prompts[begin + part.job])) continue;
                last.push_back(part.first_row + part.n - 1);
                of.push_back(begin + part.job);
            }
            if (last.empty()) return;
            std::vector<float> logits(last.size() * vocab);
            s.decoder->logits(last, logits.data());
            for (std::size_t i = 0; i < of.size(); ++i) {
                const float* row = logits.data() + i * vocab;
                out[of[i]].assign(row, row + vocab);
            }
        });
    }
    return out;
}

}  // namespace tinyllm
