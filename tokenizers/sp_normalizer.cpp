#include "tokenizers/sp_normalizer.h"

#include "tokenizers/utf8.h"

namespace tinyllm {

SpNormalizer::Step SpNormalizer::step(std::string_view rest, std::size_t at, StringMatcher::Match& kept,
                                      std::string_view whole) const {
    if (kept.value >= 0 && kept.begin < at) kept = keep_.find(whole, at);
    if (kept.value >= 0 && kept.begin == at) return {rest.substr(0, kept.end - at), kept.end - at};
    if (const auto m = options_.chars.match(rest, true)) return {m->replacement, m->size};
    const std::size_t size = char_size(rest[0]);
    return {rest.substr(0, size), size};
}

void SpNormalizer::apply(NormalText& normal) const {
    const std::string in = std::move(normal.text);
    const std::string_view text(in);
    const std::string_view space = options_.escape_spaces ? kMetaspace : std::string_view(" ");
    // Behind a special token a section is the middle of a text for those who prefix only its start.
    const bool start = normal.at_start || !options_.only_at_start;
    const bool prefix = options_.dummy_prefix && start;
    std::string out;
    out.reserve(in.size() + in.size() / 2 + 3);
    auto kept = keep_.empty() ? StringMatcher::Match{0, 0, -1} : keep_.find(text, 0);
    std::size_t at = 0;
    if (options_.remove_extra_spaces && start) {
        while (at < text.size()) {
            const Step s = step(text.substr(at), at, kept, text);
            if (s.text != " ") break;
            at += s.size;
        }
    }
    if (at < text.size()) {
        if (prefix && !options_.space_as_suffix) out += space;
        bool after_space = options_.remove_extra_spaces && start;
        while (at < text.size()) {
            Step s = step(text.substr(at), at, kept, text);
            at += s.size;
            while (after_space && !s.text.empty() && s.text[0] == ' ') s.text.remove_prefix(1);
            for (const char c : s.text) {
                if (c == ' ') {
                    out += space;
                } else {
                    out += c;
                }
            }
            if (!s.text.empty()) after_space = s.text.back() == ' ';
            if (!options_.remove_extra_spaces) after_space = false;
        }
        if (options_.remove_extra_spaces) {
            while (out.size() >= space.size() &&
                   out.compare(out.size() - space.size(), space.size(), space) == 0) {
                out.resize(out.size() - space.size());
            }
        }
        if (prefix && options_.space_as_suffix) out += space;
    }
    normal.text = std::move(out);
}

}  // namespace tinyllm
