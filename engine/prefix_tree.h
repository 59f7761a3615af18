// What scoring runs: sequences that begin alike share their beginnings, which the model reads once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tinyllm/session.h"

namespace tinyllm {

/// A token whose log-probability is asked for behind row `row`, and the score it belongs to.
struct Ask {
    std::int64_t row = 0;
    Token target = 0;
    Score* score = nullptr;
};

/// Tokens that follow those of the node above.
struct PrefixNode {
    std::vector<Token> tokens;
    std::vector<Ask> asks;  // in the order of rows, of a row in that of targets
    std::vector<PrefixNode> children;
};

/// One sequence that is to be scored: what stands before its last token.
struct ScoredLine {
    std::vector<Token> tokens;
    std::size_t request = 0;
    std::size_t context = 0;              // of the tokens, at least 1: they are read, not scored
    std::span<const Token> continuation;  // whose first token stands behind the context
    Score* score = nullptr;
};

/// Tokens that sequences must share to become a node of their own: each level of a tree is one more pass
/// through the model. The context of a request's continuations is shared in any case.
constexpr std::size_t kLeastShared = 8;

/// The trees of `lines`, every ask in exactly one node.
std::vector<PrefixNode> prefix_trees(std::vector<ScoredLine> lines);

}  // namespace tinyllm
