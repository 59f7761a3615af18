// Scoring whole batches: beginnings that sequences share run once, what follows forks the cache and runs
// together.
#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "engine/fail.h"
#include "engine/prefix_tree.h"
#include "engine/session_state.h"

namespace tinyllm {
namespace {

// Sequences behind one context of an encoder; without an encoder there is one of these, its context empty.
struct Trees {
    std::vector<Token> encoder_tokens;
    std::vector<PrefixNode> roots;
};

// A node whose beginning is in the cache.
struct ReadyNode {
    const PrefixNode* node;
    Sequence sequence;  // what stands before it, and once it ran the node too
    std::shared_ptr<const Encodings> encodings;
    std::size_t encoding = 0;
};

// Scores the rows of one step that nodes ask about. `run` is in the order of the jobs.
void score_step(Decoder& decoder, std::span<const JobRows> rows, const std::vector<ReadyNode>& run) {
    std::vector<std::int32_t> at;
    std::vector<std::int32_t> targets;
    std::vector<std::pair<std::size_t, Score*>> wanted;
    for (const JobRows& part : rows) {
        for (const Ask& ask : run[part.job].node->asks) {
            if (ask.row < part.offset || ask.row >= part.offset + part.n) continue;
            const auto row = part.first_row + static_cast<std::int32_t>(ask.row - part.offset);
            if (at.empty() || at.back() != row || targets.back() != ask.target) {
                at.push_back(row);
                targets.push_back(ask.target);
            }
            wanted.emplace_back(at.size() - 1, ask.score);
        }
    }
    if (at.empty()) return;
    std::vector<float> logprobs(at.size());
    std::vector<std::int32_t> best(at.size());
    decoder.score(at, targets, logprobs.data(), best.data());
    for (const auto& [i, score] : wanted) {
        score->logprob += static_cast<double>(logprobs[i]);
        score->is_greedy &= best[i] == targets[i];
    }
}

// The last `most` tokens.
std::span<const Token> cut_left(const std::vector<Token>& tokens, std::int64_t most) {
    return std::span(tokens).last(static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(tokens), most)));
}

// Cuts requests from the left as the harness does, context + continuation to `most` + 1 tokens or what an
// encoder reads to `most`. `start`: the first token of a decoder behind an encoder.
std::vector<Trees> trees_of(std::span<const ScoreRequest> requests, std::int64_t most, const Token* start,
                            std::vector<std::vector<Score>>& scores) {
    std::map<std::vector<Token>, std::vector<ScoredLine>> by_encoder;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        scores[i].resize(requests[i].continuations.size());
        for (std::size_t c = 0; c < scores[i].size(); ++c) {
            const std::vector<Token>& k = requests[i].continuations[c];
            std::span<const Token> read =
                cut_left(requests[i].context, start ? most : most + 1 - std::ssize(k));
            std::vector<Token> encoder_tokens;
            if (start) {
                encoder_tokens.assign(read.begin(), read.end());
                read = {start, 1};
            }
            ScoredLine line{{read.begin(), read.end()}, i, read.size(), k, &scores[i][c]};
            line.tokens.insert(line.tokens.end(), k.begin(), k.end() - 1);
            scores[i][c] = {0, static_cast<std::int32_t>(k.size()), true};
            by_encoder[std::move(encoder_tokens)].push_back(std::move(line));
        }
    }
    std::vector<Trees> trees;
    for (auto& [encoder_tokens, lines] : by_encoder)
        trees.push_back({encoder_tokens, prefix_trees(std::move(lines))});
    return trees;
}

// Runs trees, in steps that hold as many nodes as fit. What follows a node comes before other trees, so that
// few caches live at a time.
class TreeRun {
  public:
    TreeRun(Decoder& decoder, std::int32_t chunk, std::span<const Trees> trees)
        : decoder_(decoder), chunk_(chunk), trees_(trees) {}

    void run() {
        while (refill()) {
            std::vector<ReadyNode> now;
            std::vector<Job> jobs;
            std::int64_t rows = 0;
            while (!ready_.empty() && (now.empty() || rows + size_of(ready_.front()) <= chunk_)) {
                rows += size_of(ready_.front());
                ready_rows_ -= size_of(ready_.front());
                now.push_back(std::move(ready_.front()));
                ready_.pop_front();
            }
            for (ReadyNode& one : now)
                jobs.push_back({&one.sequence, one.node->tokens, one.encodings->of(one.encoding)});
            decoder_.run(jobs, chunk_, Phase::prompt, [&](auto part) { score_step(decoder_, part, now); });
            for (auto one = now.rbegin(); one != now.rend(); ++one) {
                for (const PrefixNode& child : one->node->children) {
                    ready_.push_front({&child, one->sequence, one->encodings, one->encoding});
                    ready_rows_ += size_of(ready_.front());
                }
            }
        }
    }

  private:
    static std::int64_t size_of(const ReadyNode& node) { return std::ssize(node.node->tokens); }

    // Has trees join until a step is full; what encoders read of them fills steps of its own. False: all is
    // done.
    bool refill() {
        while (ready_rows_ < chunk_ && next_ < trees_.size()) {
            std::vector<std::span<const Token>> contexts;
            const std::size_t first = next_;
            for (std::int64_t rows = 0; next_ < trees_.size(); ++next_) {
                rows += std::ssize(trees_[next_].encoder_tokens);
                if (next_ > first && rows > chunk_) break;
                contexts.push_back(trees_[next_].encoder_tokens);
            }
            const auto encodings = std::make_shared<const Encodings>(decoder_, contexts, chunk_);
            for (std::size_t i = first; i < next_; ++i) {
                for (const PrefixNode& root : trees_[i].roots) {
                    ready_.push_back({&root, Sequence(decoder_.pool()), encodings, i - first});
                    ready_rows_ += size_of(ready_.back());
                }
            }
        }
        return !ready_.empty();
    }

    Decoder& decoder_;
    const std::int32_t chunk_;
    const std::span<const Trees> trees_;
    std::size_t next_ = 0;  // of the trees
    std::deque<ReadyNode> ready_;
    std::int64_t ready_rows_ = 0;
};

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
    const Token* start = s.has_encoder() ? &s.model->info().decoder_start : nullptr;
    const std::vector<Trees> trees = trees_of(requests, s.context, start, scores);
    const std::lock_guard lock(s.backend().mutex());
    TreeRun(*s.decoder, s.options.chunk, trees).run();
    return scores;
}

}  // namespace tinyllm
