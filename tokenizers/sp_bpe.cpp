#include "tokenizers/sp_bpe.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <queue>
#include <unordered_map>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {

struct SpBpe::Symbol {
    std::string_view text;  // empty once merged into its left neighbour
    std::uint32_t before, next;
    bool frozen;  // a user-defined piece
};

struct SpBpe::Work {
    static constexpr std::uint32_t kEnd = 0xFFFFFFFF;
    struct Pair {
        float score;
        std::uint32_t left, right;
        std::size_t size;
        bool operator<(const Pair& other) const {
            return score != other.score ? score < other.score : left > other.left;
        }
    };
    std::vector<Symbol> symbols;
    std::priority_queue<Pair> queue;
    // What an unused piece was merged from: it is taken apart again in the end.
    std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>> parts;
};

SpBpe::SpBpe(const SpPieces& pieces, const SpBpeOptions& options, const std::string& file)
    : score_(pieces.score), options_(options) {
    unused_.resize(pieces.size());
    bytes_.fill(-1);
    std::size_t bytes = 0;
    for (const std::string& text : pieces.text) bytes += text.size();
    vocab_.reserve(pieces.size(), bytes);
    matched_.reserve(pieces.size(), bytes);
    bool crosses = false;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const std::string& text = pieces.text[i];
        const PieceType type = pieces.type[i];
        if (!is_valid_utf8(text)) fail(ErrorKind::corrupt, "{}: piece {} is not UTF-8", file, i);
        vocab_.add(text, static_cast<std::int64_t>(i), file);
        unused_[i] = type == PieceType::unused && !options.match_any_type;
        const bool plain =
            type == PieceType::normal || type == PieceType::user_defined || type == PieceType::unused;
        if ((plain || options.match_any_type) && !text.empty()) {
            matched_.add(text, static_cast<std::int64_t>(i), file);
            bool other = false;
            for (std::size_t at = 0; at < text.size(); at += char_size(text[at])) {
                const bool mark = text.compare(at, kMetaspace.size(), kMetaspace) == 0;
                crosses = crosses || (mark && other);
                other = !mark;
            }
        }
        if (type == PieceType::user_defined && options.user_defined_first && !text.empty()) {
            user_defined_.add(text, static_cast<std::int32_t>(i));
        }
        if (type == PieceType::byte && text.size() == 6 && text.compare(0, 3, "<0x") == 0) {
            const auto value = std::strtol(text.substr(3, 2).c_str(), nullptr, 16);
            bytes_[static_cast<std::size_t>(value & 0xFF)] = static_cast<Token>(i);
        }
    }
    cut_at_metaspace_ = !crosses && user_defined_.empty() && matched_.find_text(kMetaspace) >= 0;
    whole_ = std::make_unique<std::atomic<unsigned char>[]>(pieces.size() + 1);
}

void SpBpe::offer(Work& work, std::uint32_t left, std::uint32_t right) const {
    if (left == Work::kEnd || right == Work::kEnd) return;
    const Symbol& a = work.symbols[left];
    const Symbol& b = work.symbols[right];
    if (a.frozen || b.frozen) return;
    const std::string_view both(a.text.data(), a.text.size() + b.text.size());
    const Token id = matched_.find_text(both);
    if (id < 0) return;
    work.queue.push({score_[static_cast<std::size_t>(id)], left, right, both.size()});
    if (unused_[static_cast<std::size_t>(id)]) work.parts[both] = {a.text, b.text};
}

void SpBpe::put(const Work& work, std::string_view text, std::vector<Token>& out) const {
    const Token id = matched_.find_text(text);
    if (id >= 0 && unused_[static_cast<std::size_t>(id)]) {
        const auto it = work.parts.find(text);
        if (it != work.parts.end()) {
            put(work, it->second.first, out);
            put(work, it->second.second, out);
            return;
        }
    }
    if (id >= 0) {
        out.push_back(id);
        return;
    }
    if (options_.byte_fallback) {
        for (const char c : text) {
            const Token byte = bytes_[static_cast<unsigned char>(c)];
            if (byte >= 0) {
                out.push_back(byte);
            } else if (options_.unk >= 0) {
                out.push_back(options_.unk);
            }
        }
    } else if (options_.unk >= 0 && (out.empty() || out.back() != options_.unk)) {
        out.push_back(options_.unk);  // a run of unknown characters is one token
    }
}

void SpBpe::encode_part(std::string_view part, std::vector<Token>& out) const {
    const Token id = matched_.find_text(part);
    std::atomic<unsigned char>* whole = id >= 0 ? &whole_[static_cast<std::size_t>(id)] : nullptr;
    if (whole && whole->load(std::memory_order_relaxed) == kWhole) {
        out.push_back(id);
        return;
    }
    Work work;
    auto found = user_defined_.find(part, 0);
    for (std::size_t at = 0; at < part.size();) {
        const auto index = static_cast<std::uint32_t>(work.symbols.size());
        const bool frozen = found.value >= 0 && found.begin == at;
        const std::size_t size = frozen ? found.end - found.begin : char_size(part[at]);
        work.symbols.push_back(
            {part.substr(at, size), index == 0 ? Work::kEnd : index - 1, index + 1, frozen});
        at += size;
        if (frozen || (found.value >= 0 && found.begin < at)) found = user_defined_.find(part, at);
    }
    work.symbols.back().next = Work::kEnd;
    for (std::uint32_t i = 0; i + 1 < work.symbols.size(); ++i) offer(work, i, i + 1);
    while (!work.queue.empty()) {
        const Work::Pair pair = work.queue.top();
        work.queue.pop();
        Symbol& left = work.symbols[pair.left];
        Symbol& right = work.symbols[pair.right];
        if (left.text.empty() || right.text.empty() || left.text.size() + right.text.size() != pair.size)
            continue;
        left.text = {left.text.data(), pair.size};
        right.text = {};
        left.next = right.next;
        if (right.next != Work::kEnd) work.symbols[right.next].before = pair.left;
        offer(work, left.before, pair.left);
        offer(work, pair.left, left.next);
    }
    const std::size_t from = out.size();
    for (std::uint32_t i = 0; i != Work::kEnd; i = work.symbols[i].next) put(work, work.symbols[i].text, out);
    if (whole) {
        const bool same = out.size() == from + 1 && out[from] == id;
        whole->store(same ? kWhole : kSplit, std::memory_order_relaxed);
    }
}

void SpBpe::encode(std::string_view word, std::vector<Token>& out) const {
    if (word.size() > std::numeric_limits<std::uint32_t>::max() / 2) {
        fail(ErrorKind::usage, "a text of {} bytes is more than the tokenizer takes", word.size());
    }
    if (!cut_at_metaspace_) {
        encode_part(word, out);
        return;
    }
    for (std::size_t begin = 0; begin < word.size();) {
        std::size_t end = begin;
        while (word.substr(end, kMetaspace.size()) == kMetaspace) end += kMetaspace.size();
        end = std::min(word.find(kMetaspace, end), word.size());
        encode_part(word.substr(begin, end - begin), out);
        begin = end;
    }
}

}  // namespace tinyllm
