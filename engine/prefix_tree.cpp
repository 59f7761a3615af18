#include "engine/prefix_tree.h"

#include <algorithm>
#include <tuple>

namespace tinyllm {
namespace {

using Lines = std::span<const ScoredLine>;

std::size_t common_prefix(const ScoredLine& a, const ScoredLine& b) {
    const auto [end, other] = std::ranges::mismatch(a.tokens, b.tokens);
    return static_cast<std::size_t>(end - a.tokens.begin());
}

bool is_shared(Lines lines, std::size_t start, std::size_t end) {
    const ScoredLine& first = lines.front();
    const ScoredLine& last = lines.back();
    if (end == last.tokens.size()) return true;  // the sorted lines are all the same: no level below
    const bool one_context =
        std::ranges::all_of(lines, [&](const ScoredLine& line) { return line.request == first.request; });
    return end - start >= kLeastShared || (one_context && start < first.context);
}

void add_asks(Lines lines, std::size_t start, PrefixNode& node) {
    const auto end = start + node.tokens.size();
    for (const ScoredLine& line : lines) {
        for (std::size_t row = std::max(start, line.context - 1); row < end; ++row) {
            const std::size_t t = row + 1 - line.context;
            node.asks.push_back({static_cast<std::int64_t>(row - start), line.continuation[t], line.score});
        }
    }
    std::ranges::stable_sort(node.asks, {}, [](const Ask& ask) { return std::tuple(ask.row, ask.target); });
}

// Adds to `nodes` what `lines`, sorted and not empty, have behind their first `start` tokens, which nodes
// above hold. They agree in their first `known`.
void grow(Lines lines, std::size_t start, std::size_t known, std::vector<PrefixNode>& nodes) {
    const std::size_t end = common_prefix(lines.front(), lines.back());
    std::vector<PrefixNode>* below = &nodes;
    if (is_shared(lines, start, end)) {
        if (end > start) {
            const auto at = lines.front().tokens.begin();
            PrefixNode node;
            node.tokens.assign(at + static_cast<std::ptrdiff_t>(start),
                               at + static_cast<std::ptrdiff_t>(end));
            add_asks(lines, start, node);
            nodes.push_back(std::move(node));
            below = &nodes.back().children;
        }
        start = end;
    }
    known = end;
    // Those that end here come first.
    for (std::size_t i = 0; i < lines.size();) {
        std::size_t n = 1;
        const auto same = [&](const ScoredLine& a, const ScoredLine& b) {
            const bool a_ends = a.tokens.size() == known, b_ends = b.tokens.size() == known;
            return a_ends == b_ends && (a_ends || a.tokens[known] == b.tokens[known]);
        };
        while (i + n < lines.size() && same(lines[i], lines[i + n])) ++n;
        if (lines[i].tokens.size() > start) grow(lines.subspan(i, n), start, known, *below);
        i += n;
    }
}

}  // namespace

std::vector<PrefixNode> prefix_trees(std::vector<ScoredLine> lines) {
    std::vector<PrefixNode> trees;
    std::ranges::stable_sort(lines, {}, &ScoredLine::tokens);
    if (!lines.empty()) grow(lines, 0, 0, trees);
    return trees;
}

}  // namespace tinyllm
