#include "tokenizers/piece_trie.h"

#include <algorithm>
#include <array>
#include <deque>

namespace tinyllm {
namespace {

constexpr std::uint32_t kBlock = 256;
constexpr std::size_t kOpenBlocks = 16;  // only in these is a place looked for
constexpr int kTries = 128;              // free units looked at before a new block is begun

}  // namespace

/// Places the nodes one by one. Free units of the open blocks form a ring in which the search for a place
/// goes on where it last ended; so building takes time in proportion to the nodes, whatever the pieces are.
class PieceTrie::Builder {
  public:
    explicit Builder(std::vector<Unit>& units) : units_(units) {
        units_.clear();
        add_block();
        take(kRoot, kRoot);
        units_[kRoot].parent = kRoot;
    }

    /// A base under which a unit is free for every one of `bytes`; takes these units for `parent`.
    std::uint32_t place(std::uint32_t parent, const std::vector<unsigned char>& bytes) {
        std::uint32_t at = cursor_;
        for (int i = 0; at != kNone && i < kTries; ++i, at = next_[at]) {
            const std::uint32_t base = at ^ bytes[0];
            if (std::all_of(bytes.begin(), bytes.end(), [&](unsigned char b) { return is_free(base ^ b); })) {
                return settle(parent, base, bytes);
            }
        }
        const auto begin = static_cast<std::uint32_t>(units_.size());
        add_block();
        return settle(parent, begin, bytes);
    }

  private:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    bool is_free(std::uint32_t at) const { return at != kRoot && units_[at].parent == kNone; }

    std::uint32_t settle(std::uint32_t parent, std::uint32_t base, const std::vector<unsigned char>& bytes) {
        for (const unsigned char b : bytes) take(base ^ b, parent);
        return base;
    }
    void take(std::uint32_t at, std::uint32_t parent) {
        units_[at].parent = parent;
        unlink(at);
    }
    void unlink(std::uint32_t at) {
        if (next_[at] == kNone) return;  // of a closed block
        if (next_[at] == at) {
            cursor_ = kNone;
        } else {
            next_[before_[at]] = next_[at];
            before_[next_[at]] = before_[at];
            cursor_ = next_[at];
        }
        next_[at] = kNone;
    }
    void add_block() {
        const auto begin = static_cast<std::uint32_t>(units_.size());
        units_.resize(begin + kBlock);
        next_.resize(begin + kBlock);
        before_.resize(begin + kBlock);
        for (std::uint32_t i = 0; i < kBlock; ++i) {
            next_[begin + i] = begin + (i + 1) % kBlock;
            before_[begin + i] = begin + (i + kBlock - 1) % kBlock;
        }
        if (cursor_ != kNone) {  // join the rings
            const std::uint32_t last = before_[cursor_], own_last = before_[begin];
            next_[last] = begin;
            before_[begin] = last;
            next_[own_last] = cursor_;
            before_[cursor_] = own_last;
        }
        cursor_ = begin;
        open_.push_back(begin);
        if (open_.size() > kOpenBlocks) {
            for (std::uint32_t i = 0; i < kBlock; ++i) unlink(open_.front() + i);
            open_.pop_front();
            cursor_ = begin;
        }
    }

    std::vector<Unit>& units_;
    std::vector<std::uint32_t> next_, before_;  // the ring; kNone: not in it
    std::uint32_t cursor_ = kNone;
    std::deque<std::uint32_t> open_;
};

PieceTrie::PieceTrie(std::vector<std::pair<std::string_view, Token>> pieces) {
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Builder builder(units_);
    struct Range {  // pieces that share their first `depth` bytes, which lead to `node`
        std::size_t begin, end, depth;
        std::uint32_t node;
    };
    std::vector<Range> open = {{0, pieces.size(), 0, kRoot}};
    std::vector<unsigned char> bytes;
    std::vector<std::size_t> starts;
    while (!open.empty()) {
        const Range r = open.back();
        open.pop_back();
        std::size_t at = r.begin;
        for (; at < r.end && pieces[at].first.size() == r.depth; ++at)
            units_[r.node].value = pieces[at].second;
        bytes.clear();
        starts.clear();
        for (; at < r.end; ++at) {
            const auto byte = static_cast<unsigned char>(pieces[at].first[r.depth]);
            if (!bytes.empty() && bytes.back() == byte) continue;
            bytes.push_back(byte);
            starts.push_back(at);
        }
        if (bytes.empty()) continue;
        const std::uint32_t base = builder.place(r.node, bytes);
        units_[r.node].base = base;
        starts.push_back(r.end);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            open.push_back({starts[i], starts[i + 1], r.depth + 1, base ^ bytes[i]});
    }
    units_[kRoot].value = -1;
}

}  // namespace tinyllm
