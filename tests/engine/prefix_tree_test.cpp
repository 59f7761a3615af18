#include "engine/prefix_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

namespace tinyllm {
namespace {

using Tokens = std::vector<Token>;
/// What stands before a target, the target, whose score it is.
using Asked = std::multiset<std::tuple<Tokens, Token, Score*>>;

struct Request {
    Tokens context;
    std::vector<Tokens> continuations;
};

struct Lines {
    std::vector<ScoredLine> lines;
    std::vector<std::vector<Score>> scores;

    explicit Lines(const std::vector<Request>& requests) : scores(requests.size()) {
        for (std::size_t r = 0; r < requests.size(); ++r) {
            scores[r].resize(requests[r].continuations.size());
            for (std::size_t c = 0; c < scores[r].size(); ++c) {
                const Tokens& k = requests[r].continuations[c];
                Tokens tokens = requests[r].context;
                tokens.insert(tokens.end(), k.begin(), k.end() - 1);
                lines.push_back({tokens, r, requests[r].context.size(), k, &scores[r][c]});
            }
        }
    }
    Asked asked() const {
        Asked all;
        for (const ScoredLine& line : lines) {
            for (std::size_t t = 0; t < line.continuation.size(); ++t) {
                const auto end = line.tokens.begin() + static_cast<std::ptrdiff_t>(line.context + t);
                all.insert({Tokens(line.tokens.begin(), end), line.continuation[t], line.score});
            }
        }
        return all;
    }
};

void collect(const std::vector<PrefixNode>& nodes, const Tokens& above, Asked& asked, std::size_t& rows) {
    for (const PrefixNode& node : nodes) {
        ASSERT_FALSE(node.tokens.empty());
        rows += node.tokens.size();
        for (std::size_t i = 0; i < node.asks.size(); ++i) {
            const Ask& ask = node.asks[i];
            ASSERT_LT(ask.row, std::ssize(node.tokens));
            if (i) {
                ASSERT_LE(std::tuple(node.asks[i - 1].row, node.asks[i - 1].target),
                          std::tuple(ask.row, ask.target));
            }
            Tokens before = above;
            before.insert(before.end(), node.tokens.begin(), node.tokens.begin() + ask.row + 1);
            asked.insert({before, ask.target, ask.score});
        }
        Tokens path = above;
        path.insert(path.end(), node.tokens.begin(), node.tokens.end());
        collect(node.children, path, asked, rows);
    }
}

std::size_t rows_of(const std::vector<Request>& requests) {
    const Lines lines(requests);
    Asked asked;
    std::size_t rows = 0;
    collect(prefix_trees(lines.lines), {}, asked, rows);
    EXPECT_EQ(asked, lines.asked());
    return rows;
}

Tokens counted(Token first, int n) {
    Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back(first + i);
    return tokens;
}

Tokens joined(Tokens a, const Tokens& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST(PrefixTree, SharesWhatIsWorthALevel) {
    EXPECT_EQ(rows_of({}), 0u);
    EXPECT_EQ(rows_of({{{1, 2, 3}, {{4, 5}}}}), 4u);
    EXPECT_EQ(rows_of({{{1, 2, 3}, {{4}, {5}, {4}}}}), 3u) << "the context alone";
    EXPECT_EQ(rows_of({{{1}, {{4, 5}, {6, 7}}}}), 3u) << "a request's context once, however short";
    EXPECT_EQ(rows_of({{{1, 2}, {counted(10, 5), joined(counted(10, 3), {7, 8})}}}), 2u + 3 + 1 + 1)
        << "what the choices begin with joins the context";
    EXPECT_EQ(rows_of({{{1, 2, 3}, {{4, 5}}}, {{1, 2, 3}, {{6, 7}}}}), 8u) << "too little for two requests";
    const Tokens many = counted(100, 8);
    EXPECT_EQ(rows_of({{many, {{4, 5}}}, {many, {{6, 7}}}}), 10u);
    EXPECT_EQ(rows_of({{{1}, {joined(many, {1, 2}), joined(many, {3, 4}), {5, 6}}}}), 1u + 8 + 1 + 1 + 1);
    EXPECT_EQ(rows_of({{{1}, {joined({2}, {1, 2}), joined({2}, {3, 4}), {5, 6}}}}), 1u + 2 + 2 + 1)
        << "one token makes no level below the context";
    EXPECT_EQ(rows_of({{{1}, {counted(2, 6), counted(2, 4), counted(2, 4)}}}), 1u + 3 + 2)
        << "one choice begins another";
}

TEST(PrefixTree, AsksEverythingOnce) {
    std::mt19937 random(3);
    const auto some = [&](int least, int most, Token below) {
        Tokens tokens(std::uniform_int_distribution<std::size_t>(least, most)(random));
        for (Token& token : tokens) token = std::uniform_int_distribution<Token>(0, below)(random);
        return tokens;
    };
    for (int trial = 0; trial < 300; ++trial) {
        std::vector<Request> requests(std::uniform_int_distribution<std::size_t>(1, 5)(random));
        std::size_t separate = 0;
        const Tokens begin = some(1, 14, 1);
        for (Request& request : requests) {
            request.context = joined(begin, some(0, 3, 1));
            request.continuations.resize(std::uniform_int_distribution<std::size_t>(1, 4)(random));
            for (Tokens& k : request.continuations) {
                k = trial % 2 ? joined(begin, some(1, 4, 1)) : some(1, 3, 1);
                separate += request.context.size() + k.size() - 1;
            }
        }
        EXPECT_LE(rows_of(requests), separate);
    }
}

}  // namespace
}  // namespace tinyllm
