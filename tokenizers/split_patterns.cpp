#include "tokenizers/split_patterns.h"

#include <array>

#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

namespace tinyllm {

const std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kGgufLlama3Pattern =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kGgufQwen2Pattern =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::array<CharClass, 128> kAscii = [] {
    std::array<CharClass, 128> t{};
    for (int c = 'a'; c <= 'z'; ++c) t[static_cast<std::size_t>(c)] = CharClass::letter;
    for (int c = 'A'; c <= 'Z'; ++c) t[static_cast<std::size_t>(c)] = CharClass::letter;
    for (int c = '0'; c <= '9'; ++c) t[static_cast<std::size_t>(c)] = CharClass::number;
    for (int c = 9; c <= 13; ++c) t[static_cast<std::size_t>(c)] = CharClass::space;
    t[' '] = CharClass::space;
    return t;
}();

struct Seen {
    CharClass kind;
    std::size_t end;  // behind the character
};

Seen look(std::string_view text, std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) return {kAscii[byte], at + 1};
    const Utf8Char c = next_char(text.data() + at);
    return {char_class(c.code), at + c.size};
}

/// The end of the run of characters of `kind` from `at` on.
std::size_t run(std::string_view text, std::size_t at, CharClass kind) {
    while (at < text.size()) {
        const Seen s = look(text, at);
        if (s.kind != kind) break;
        at = s.end;
    }
    return at;
}

/// \s+(?!\S)|\s+ : a run of spaces leaves its last one to what follows, unless it is the only one.
std::size_t spaces(std::string_view text, std::size_t at) {
    std::size_t last = at;
    std::size_t end = at;
    while (end < text.size()) {
        const Seen s = look(text, end);
        if (s.kind != CharClass::space) break;
        last = end;
        end = s.end;
    }
    return end == text.size() || last == at ? end : last;
}

/// The length of an English contraction behind the apostrophe at `at`, 0 if there is none.
std::size_t contraction(std::string_view text, std::size_t at) {
    const std::string_view rest = text.substr(at + 1, 2);
    if (rest.empty()) return 0;
    switch (rest[0]) {
        case 's':
        case 't':
        case 'm':
        case 'd':
            return 2;
        case 'r':
        case 'v':
            return rest.size() == 2 && rest[1] == 'e' ? 3 : 0;
        case 'l':
            return rest.size() == 2 && rest[1] == 'l' ? 3 : 0;
        default:
            return 0;
    }
}

/// The same in any case; with `long_s` U+017F is an s as well.
std::size_t contraction_any_case(std::string_view text, std::size_t at, bool long_s) {
    const std::string_view rest = text.substr(at + 1, 2);
    if (long_s && rest == "\xC5\xBF") return 3;
    char lower[3] = {'\'', 0, 0};
    for (std::size_t i = 0; i < rest.size(); ++i) {
        lower[i + 1] = rest[i] >= 'A' && rest[i] <= 'Z' ? static_cast<char>(rest[i] + 32) : rest[i];
    }
    return contraction(std::string_view(lower, rest.size() + 1), 0);
}

template <int kMaxDigits, bool kLongS>
std::size_t match_cl100k(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (c == '\'') {
        if (const std::size_t n = contraction_any_case(text, at, kLongS)) return at + n;
    }
    const Seen first = look(text, at);
    if (first.kind == CharClass::letter) return run(text, first.end, CharClass::letter);
    if (first.kind == CharClass::number) {
        std::size_t end = first.end;
        for (int i = 1; i < kMaxDigits && end < text.size(); ++i) {
            const Seen s = look(text, end);
            if (s.kind != CharClass::number) break;
            end = s.end;
        }
        return end;
    }
    if (c != '\r' && c != '\n' && first.end < text.size()) {
        const Seen second = look(text, first.end);
        if (second.kind == CharClass::letter) return run(text, second.end, CharClass::letter);
    }
    std::size_t marks = first.kind == CharClass::other ? at : text.size();
    if (c == ' ' && first.end < text.size() && look(text, first.end).kind == CharClass::other)
        marks = first.end;
    if (marks < text.size()) {
        std::size_t end = run(text, marks, CharClass::other);
        while (end < text.size() && (text[end] == '\r' || text[end] == '\n')) ++end;
        return end;
    }
    // White space. \s*[\r\n]+ reaches to the last line break of the run.
    const std::size_t end = run(text, at, CharClass::space);
    for (std::size_t i = end; i > at; --i) {
        if (text[i - 1] == '\n' || text[i - 1] == '\r') return i;
    }
    return spaces(text, at);
}

}  // namespace

std::size_t match_gpt2(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (c == '\'') {
        if (const std::size_t n = contraction(text, at)) return at + n;
    }
    Seen first = look(text, at);
    if (c == ' ' && at + 1 < text.size()) first = look(text, at + 1);
    if (first.kind == CharClass::space) return spaces(text, at);
    return run(text, first.end, first.kind);
}

Matcher find_matcher(std::string_view pattern) {
    if (pattern == kGpt2Pattern) return match_gpt2;
    if (pattern == kLlama3Pattern) return match_cl100k<3, true>;
    if (pattern == kQwen2Pattern) return match_cl100k<1, true>;
    if (pattern == kGgufLlama3Pattern) return match_cl100k<3, false>;
    if (pattern == kGgufQwen2Pattern) return match_cl100k<1, false>;
    return nullptr;
}

}  // namespace tinyllm
