#include "tokenizers/unigram.h"

#include <algorithm>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

constexpr std::uint32_t kUnreached = 0xFFFFFFFF;
constexpr Token kNoUnk = -1;
// A longer text is settled part by part, wherever no piece reaches across, so that memory stays bounded.
constexpr std::size_t kSettle = 1 << 14;

}  // namespace

Unigram::Unigram(const std::vector<UnigramPiece>& pieces, const UnigramOptions& options,
                 const std::string& file)
    : options_(options), file_(file) {
    if (options.unk && (*options.unk < 0 || static_cast<std::size_t>(*options.unk) >= pieces.size()))
        fail(ErrorKind::corrupt, "{}: unknown token {} is none of the {} pieces", file, *options.unk,
             pieces.size());
    std::size_t bytes = 0;
    for (const UnigramPiece& p : pieces) bytes += p.text.size();
    vocab_.reserve(pieces.size(), bytes);
    scores_.reserve(pieces.size());
    std::vector<std::pair<std::string_view, Token>> matched;
    matched.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const UnigramPiece& p = pieces[i];
        vocab_.add(p.text, static_cast<std::int64_t>(i), file, true);
        scores_.push_back(p.score);
        if (!p.matched || p.text.empty()) continue;
        matched.emplace_back(p.text, static_cast<Token>(i));
        longest_ = std::max(longest_, p.text.size());
    }
    trie_ = PieceTrie(std::move(matched));
    for (std::size_t b = 0; b < bytes_.size(); ++b) bytes_[b] = vocab_.find(fmt::format("<0x{:02X}>", b));
}

/// Offers every piece that starts at `at`, which is reached, to where it ends; returns the furthest such end.
std::uint32_t Unigram::advance(std::string_view word, std::size_t at, Step* steps, std::size_t base) const {
    const auto from = static_cast<std::uint32_t>(at - base);
    const double score = steps[from].score;
    const std::size_t size = char_size(word[at]);
    bool whole_char = false;
    auto reach = static_cast<std::uint32_t>(from + size);
    const auto offer = [&](std::size_t end, double sum, Token id) {
        Step& step = steps[end - base];
        if (step.from == kUnreached || sum > step.score) step = {sum, from, id};
    };
    std::uint32_t node = PieceTrie::kRoot;
    for (std::size_t i = at; i < word.size();) {
        node = trie_.child(node, word[i++]);
        if (node == PieceTrie::kRoot) break;
        const Token id = trie_.value(node);
        if (id < 0) continue;
        offer(i, score + scores_[static_cast<std::size_t>(id)], id);
        whole_char = whole_char || i == at + size;
        reach = std::max(reach, static_cast<std::uint32_t>(i - base));
    }
    if (!whole_char) {
        const double sum = score + options_.unk_score;
        const Step& step = steps[at + size - base];
        if (!options_.unk && (step.from == kUnreached || sum > step.score))
            fail(ErrorKind::corrupt,
                 "{}: the text has characters outside the vocabulary and unk_id is missing", file_);
        offer(at + size, sum, options_.unk.value_or(kNoUnk));
    }
    return reach;
}

void Unigram::emit_unknown(std::string_view run, std::vector<Token>& out) const {
    if (options_.look_up_unknown) {
        if (const Token id = vocab_.find_text(run); id >= 0) {
            out.push_back(id);
            return;
        }
    }
    const auto byte_id = [this](char c) { return bytes_[static_cast<unsigned char>(c)]; };
    if (options_.byte_fallback &&
        std::all_of(run.begin(), run.end(), [&](char c) { return byte_id(c) >= 0; })) {
        for (const char c : run) out.push_back(byte_id(c));
        return;
    }
    out.push_back(*options_.unk);
}

/// The path that ends at the end of `word`; steps[i] belongs to its byte i.
void Unigram::emit(std::string_view word, const Step* steps, std::vector<Token>& out) const {
    const Token unk = options_.unk.value_or(kNoUnk);
    const std::size_t first = out.size();
    std::vector<std::string_view> unknown;  // last run first, as the ids
    for (std::size_t end = word.size(); end > 0;) {
        const Token id = steps[end].id;
        std::size_t begin = steps[end].from;
        if (id == unk) {
            while (begin > 0 && steps[begin].id == unk) begin = steps[begin].from;
            unknown.push_back(word.substr(begin, end - begin));
        }
        out.push_back(id);
        end = begin;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    if (unknown.empty()) return;
    const std::vector<Token> ids(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    out.resize(first);
    for (const Token id : ids) {
        if (id == unk) {
            emit_unknown(unknown.back(), out);
            unknown.pop_back();
        } else {
            out.push_back(id);
        }
    }
}

void Unigram::encode(std::string_view word, std::vector<Token>& out) const {
    if (word.size() >= kUnreached / 2)
        fail(ErrorKind::usage, "a text of {} bytes is more than the tokenizer takes", word.size());
    constexpr Step kStart{0, 0, kNoUnk}, kOpen{0, kUnreached, kNoUnk};
    std::array<Step, 64> few;
    if (word.size() < few.size()) {
        std::fill_n(few.begin(), word.size() + 1, kOpen);
        few[0] = kStart;
        for (std::size_t at = 0; at < word.size(); at += char_size(word[at]))
            advance(word, at, few.data(), 0);
        emit(word, few.data(), out);
        return;
    }
    std::vector<Step> steps(std::min(word.size(), kSettle + longest_) + 1, kOpen);
    steps[0] = kStart;
    std::size_t base = 0;     // the byte of steps[0]: everything before is settled
    std::uint32_t reach = 0;  // the furthest end of a piece, from base
    for (std::size_t at = 0; at < word.size(); at += char_size(word[at])) {
        const std::size_t here = at - base;
        if (here >= kSettle && reach == here && steps[here].id != options_.unk.value_or(kNoUnk)) {
            emit(word.substr(base, here), steps.data(), out);
            const double score = steps[here].score;
            std::fill_n(steps.begin(), here + 1, kOpen);
            steps[0] = {score, 0, kNoUnk};
            base = at;
            reach = 0;
        }
        const std::size_t needed = std::min(word.size() - base, at - base + longest_) + 1;
        if (needed > steps.size()) steps.resize(std::min(word.size() - base + 1, needed * 2), kOpen);
        reach = std::max(reach, advance(word, at, steps.data(), base));
    }
    emit(word.substr(base), steps.data(), out);
}

}  // namespace tinyllm
