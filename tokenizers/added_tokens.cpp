#include "tokenizers/added_tokens.h"

#include <algorithm>

#include "engine/fail.h"
#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

bool same(const AddedToken& a, const AddedToken& b) {
    return a.content == b.content && a.single_word == b.single_word && a.lstrip == b.lstrip &&
           a.rstrip == b.rstrip && a.normalized == b.normalized && a.special == b.special;
}

std::size_t last_char(std::string_view text) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    return at;
}

bool ends_in_word(std::string_view text) {
    return !text.empty() && is_word(next_char(text.data() + last_char(text)).code);
}
bool starts_with_word(std::string_view text) {
    return !text.empty() && is_word(next_char(text.data()).code);
}

}  // namespace

std::uint32_t StringMatcher::child(std::uint32_t node, unsigned char byte) const {
    const auto& next = nodes_[node].next;
    const auto it = std::lower_bound(next.begin(), next.end(), std::make_pair(byte, std::uint32_t{0}));
    return it != next.end() && it->first == byte ? it->second : 0;
}

void StringMatcher::add(std::string_view text, std::int32_t value) {
    std::uint32_t node = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        std::uint32_t to = child(node, byte);
        if (!to) {
            to = static_cast<std::uint32_t>(nodes_.size());
            nodes_.emplace_back();
            auto& next = nodes_[node].next;
            const std::pair<unsigned char, std::uint32_t> entry(byte, to);
            next.insert(std::lower_bound(next.begin(), next.end(), entry), entry);
        }
        node = to;
    }
    if (nodes_[node].value < 0) nodes_[node].value = value;  // the first of equal strings counts
    starts_[static_cast<unsigned char>(text[0])] = true;
}

StringMatcher::Match StringMatcher::find(std::string_view text, std::size_t from) const {
    for (std::size_t begin = from; begin < text.size(); ++begin) {
        if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
        Match best{begin, begin, -1};
        std::uint32_t node = 0;
        for (std::size_t at = begin; at < text.size(); ++at) {
            node = child(node, static_cast<unsigned char>(text[at]));
            if (!node) break;
            if (nodes_[node].value >= 0) best = {begin, at + 1, nodes_[node].value};
        }
        if (best.value >= 0) return best;
    }
    return {text.size(), text.size(), -1};
}

void AddedTokens::add(const std::vector<AddedToken>& tokens, const TokenModel& model,
                      const std::string& file) {
    for (const AddedToken& t : tokens) {
        if (t.special && !t.content.empty() && special_.insert(t.content).second) special_order_.push_back(t);
    }
    std::int64_t largest = -1;
    for (const auto& entry : by_id_) largest = std::max<std::int64_t>(largest, entry.first);
    const auto size = static_cast<std::int64_t>(model.vocab().size());
    std::int64_t next_id = largest < 0 ? size : (largest >= size || size == 0 ? largest + 1 : size);
    for (const AddedToken& t : tokens) {
        if (t.content.empty()) continue;
        const auto known = ids_.find(t.content);
        if (known != ids_.end() && same(by_id_.at(known->second), t)) continue;
        Token id = known != ids_.end() ? known->second : model.vocab().find(t.content);
        if (id < 0) {
            if (next_id > Vocab::kMaxId)
                fail(ErrorKind::corrupt, "{}: added_tokens: id {} is too large", file, next_id);
            id = static_cast<Token>(next_id++);
        }
        ids_[t.content] = id;
        by_id_[id] = t;
        id_end_ = std::max<std::int64_t>(id_end_, id + 1);
        if (!special_.count(t.content)) other_order_.push_back(t);
    }
}

void AddedTokens::finish(const Normalizer* normalizer, const std::string& file) {
    for (const auto* order : {&special_order_, &other_order_}) {
        for (const AddedToken& t : *order) {
            const Token id = ids_.at(t.content);
            if (!t.normalized) {
                plain_.add(t.content, id);
                continue;
            }
            NormalText text{t.content, true};
            if (normalizer) normalizer->apply(text);
            if (text.text.empty()) {
                fail(ErrorKind::unsupported, "{}: added_tokens: \"{}\" normalizes to nothing", file,
                     t.content);
            }
            normalized_.add(text.text, id);
        }
    }
}

std::vector<Section> AddedTokens::cut(std::string_view text, bool normalized, bool parse_special) const {
    std::vector<Section> sections;
    const StringMatcher& matcher = normalized ? normalized_ : plain_;
    std::size_t done = 0;
    if (!matcher.empty()) {
        for (auto m = matcher.find(text, 0); m.value >= 0; m = matcher.find(text, m.end)) {
            const AddedToken& t = by_id_.at(m.value);
            if (!parse_special && is_special(t.content)) continue;
            std::size_t begin = m.begin, end = m.end;
            if (t.single_word && (ends_in_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
                continue;
            if (t.lstrip) {
                while (begin > done) {
                    const std::size_t at = last_char(text.substr(0, begin));
                    if (!is_space(next_char(text.data() + at).code)) break;
                    begin = at;
                }
                begin = std::max(begin, done);
            }
            if (t.rstrip) {
                while (end < text.size()) {
                    const Utf8Char c = next_char(text.data() + end);
                    if (!is_space(c.code)) break;
                    end += c.size;
                }
            }
            if (done < begin) sections.push_back({done, begin, -1});
            sections.push_back({begin, end, m.value});
            done = end;
        }
    }
    if (done != text.size()) sections.push_back({done, text.size(), -1});
    return sections;
}

Token AddedTokens::find(std::string_view content) const {
    const auto it = ids_.find(std::string(content));
    return it == ids_.end() ? -1 : it->second;
}

const AddedToken* AddedTokens::token(Token id) const {
    const auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : &it->second;
}

}  // namespace tinyllm
