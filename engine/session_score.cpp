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

// A context and what forks from it. An encoder reads the context; the decoder's first token is then what
// forks.
struct Tree : Run {
    std::vector<Token> encoder_tokens;
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

// The last `most` tokens.
std::vector<Token> cut_left(const std::vector<Token>& tokens, std::int64_t most) {
    return {tokens.end() - std::min<std::ptrdiff_t>(std::ssize(tokens), most), tokens.end()};
}

// Cuts a request from the left as the harness does, context + continuation to `most` + 1 tokens or what an
// encoder reads to `most`, and sorts it into trees by context. `start`: the first token of a decoder behind
// an encoder.
void add_request(const ScoreRequest& request, std::int64_t most, const Token* start,
                 std::vector<Score>& scores, std::vector<Tree>& trees) {
    const std::size_t first = trees.size();
    scores.resize(request.continuations.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::vector<Token>& k = request.continuations[i];
        Tree wanted;
        if (start) {
            wanted.encoder_tokens = cut_left(request.context, most);
            wanted.tokens = {*start};
        } else {
            wanted.tokens = cut_left(request.context, most + 1 - std::ssize(k));
        }
        auto tree =
            std::find_if(trees.begin() + static_cast<std::ptrdiff_t>(first), trees.end(), [&](const Tree& t) {
                return t.tokens == wanted.tokens && t.encoder_tokens == wanted.encoder_tokens;
            });
        if (tree == trees.end()) {
            trees.push_back(std::move(wanted));
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
    const Token* start = s.has_encoder() ? &s.model->info().decoder_start : nullptr;
    for (std::size_t i = 0; i < requests.size(); ++i)
        add_request(requests[i], s.context, start, scores[i], trees);

    const std::lock_guard lock(s.backend().mutex());
    const std::int32_t chunk = s.options.chunk;
    // As many contexts at a time as fill a step; their caches live until their continuations are done.
    for (std::size_t first = 0; first < trees.size();) {
        std::vector<Tree*> group;
        std::vector<std::span<const Token>> contexts;
        std::int64_t rows = 0;
        while (first < trees.size()) {
            Tree& tree = trees[first];
            contexts.push_back(start ? tree.encoder_tokens : tree.tokens);
            if (!group.empty() && rows + std::ssize(contexts.back()) > chunk) break;
            rows += std::ssize(contexts.back());
            group.push_back(&tree);
            ++first;
        }
        contexts.resize(group.size());
        const Encodings encodings(*s.decoder, contexts, chunk);
        std::vector<Sequence> sequences(group.size(), Sequence(s.decoder->pool()));
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < group.size(); ++i)
            jobs.push_back({&sequences[i], group[i]->tokens, encodings.of(i)});
        s.decoder->run(jobs, chunk, Phase::prompt, [&](auto part) { score_step(*s.decoder, part, group); });

        std::vector<Sequence> forks;
        std::vector<std::size_t> of;  // in the group
        std::vector<Branch*> branches;
        std::int64_t branch_rows = 0;
        const auto flush = [&] {
            std::vector<Job> forked;
            for (std::size_t i = 0; i < forks.size(); ++i)
                forked.push_back({&forks[i], branches[i]->tokens, encodings.of(of[i])});
            s.decoder->run(forked, chunk, Phase::prompt,
                           [&](auto part) { score_step(*s.decoder, part, branches); });
            forks.clear();
            of.clear();
            branches.clear();
            branch_rows = 0;
        };
        for (std::size_t i = 0; i < group.size(); ++i) {
            for (auto& [tokens, branch] : group[i]->branches) {
                if (branch_rows > 0 && branch_rows + std::ssize(tokens) > chunk) flush();
                forks.push_back(sequences[i]);
                of.push_back(i);
                branches.push_back(&branch);
                branch_rows += std::ssize(tokens);
            }
        }
        flush();
    }
    return scores;
}

}  // namespace tinyllm
