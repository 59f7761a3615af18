#include "tokenizers/merge_table.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <queue>

namespace tinyllm {
namespace {

constexpr std::size_t kShort = 40;  // up to here scanning for the lowest rank beats a heap

struct Candidate {
    std::uint32_t rank;
    std::uint32_t at;
    Token left, right;
    bool operator<(const Candidate& other) const {  // std::priority_queue gives the largest
        return rank != other.rank ? rank > other.rank : at > other.at;
    }
};

}  // namespace

MergeTable::MergeTable(std::size_t merges) {
    merges_.reserve(merges);
    index_.reset(merges);
}

void MergeTable::add(Token left, Token right, Token result) {
    const auto rank = static_cast<std::uint32_t>(merges_.size());
    assert(rank < merges_.capacity());
    const std::uint32_t known = find(left, right).rank;
    merges_.push_back({left, right, result});
    if (known == kNone) {
        index_.add(hash_of(left, right), rank);
    } else {
        index_.replace(hash_of(left, right), known, rank);
    }
}

void MergeTable::merge_short(Token* ids, std::size_t& n) const {
    Merge merges[kShort + 1];
    for (std::size_t i = 0; i + 1 < n; ++i) merges[i] = find(ids[i], ids[i + 1]);
    while (n > 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < n; ++i) {
            if (merges[i].rank < merges[best].rank) best = i;
        }
        if (merges[best].rank == kNone) return;
        ids[best] = merges[best].result;
        --n;
        for (std::size_t i = best + 1; i < n; ++i) {
            ids[i] = ids[i + 1];
            merges[i] = merges[i + 1];  // of the last token: never read
        }
        if (best + 1 < n) merges[best] = find(ids[best], ids[best + 1]);
        if (best > 0) merges[best - 1] = find(ids[best - 1], ids[best]);
    }
}

std::size_t MergeTable::merge_long(Token* ids, std::size_t n) const {
    constexpr std::uint32_t kEnd = 0xFFFFFFFF;
    std::vector<std::uint32_t> next(n), before(n);
    std::vector<Candidate> first;
    first.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
        next[i] = i + 1 < n ? static_cast<std::uint32_t>(i + 1) : kEnd;
        before[i] = i ? static_cast<std::uint32_t>(i - 1) : kEnd;
        if (i + 1 < n) {
            const Merge m = find(ids[i], ids[i + 1]);
            if (m.rank != kNone) first.push_back({m.rank, static_cast<std::uint32_t>(i), ids[i], ids[i + 1]});
        }
    }
    std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(first));
    const auto offer = [&](std::uint32_t at) {
        if (at == kEnd || next[at] == kEnd) return;
        const Merge m = find(ids[at], ids[next[at]]);
        if (m.rank != kNone) queue.push({m.rank, at, ids[at], ids[next[at]]});
    };
    while (!queue.empty()) {
        const Candidate c = queue.top();
        queue.pop();
        const std::uint32_t right = next[c.at];
        if (ids[c.at] != c.left || right == kEnd || ids[right] != c.right)
            continue;  // merged otherwise meanwhile
        ids[c.at] = find(c.left, c.right).result;
        ids[right] = -1;
        next[c.at] = next[right];
        if (next[c.at] != kEnd) before[next[c.at]] = c.at;
        offer(before[c.at]);
        offer(c.at);
    }
    return static_cast<std::size_t>(std::remove(ids, ids + n, -1) - ids);
}

void MergeTable::merge_all(std::vector<Token>& ids, std::size_t from) const {
    std::size_t n = ids.size() - from;
    if (n < 2) return;
    if (n <= kShort) {
        merge_short(ids.data() + from, n);
    } else {
        n = merge_long(ids.data() + from, n);
    }
    ids.resize(from + n);
}

}  // namespace tinyllm
