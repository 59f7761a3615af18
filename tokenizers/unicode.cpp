#include "tokenizers/unicode.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "engine/fail.h"
#include "tokenizers/unicode_age.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

CharClass classify(char32_t code) {
    switch (code) {
        case 0x85:
        case 0x2028:
        case 0x2029:
            return CharClass::space;
        default:
            break;
    }
    if (code >= 0x9 && code <= 0xD) return CharClass::space;
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return CharClass::letter;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return CharClass::number;
        case UTF8PROC_CATEGORY_ZS:
            return CharClass::space;
        default:
            return CharClass::other;
    }
}

// The classes of the first planes' most used part, looked up once per character of text.
constexpr char32_t kTabled = 0x3100;
const std::array<CharClass, kTabled>& table() {
    static const auto classes = [] {
        std::array<CharClass, kTabled> t{};
        for (char32_t c = 0; c < kTabled; ++c) t[c] = classify(c);
        return t;
    }();
    return classes;
}

}  // namespace

CharClass char_class(char32_t code) {
    return code < kTabled ? table()[code] : classify(code);
}

bool is_punctuation(char32_t code) {
    if (code < 0x80) {
        return (code >= 0x21 && code <= 0x2F) || (code >= 0x3A && code <= 0x40) ||
               (code >= 0x5B && code <= 0x60) || (code >= 0x7B && code <= 0x7E);
    }
    if (code == 0x166D || code == 0x111C9) return true;  // no longer, since Unicode 12 and 11
    const int category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO &&
           !in_ranges(kNewMarks, code);
}

bool is_mark(char32_t code) {
    if (code == 0x1CF2 || code == 0x1CF3) return true;  // letters since Unicode 12
    const int category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME &&
           !in_ranges(kNewMarks, code);
}

bool is_numeric(char32_t code) {
    return is_number(code) || in_ranges(kNewDigits, code);
}

bool is_word(char32_t code) {
    const int category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) return true;  // L, M, Nd, Nl
    if (category == UTF8PROC_CATEGORY_PC || code == 0x200C || code == 0x200D) return true;
    // Other_Alphabetic symbols: circled and squared letters.
    return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
           (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
}

void append_lowercase(std::string& out, char32_t code) {
    if (code == 0x130) {
        out += "i\xCC\x87";
    } else {
        append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
    }
}

namespace {

std::string normalize_all(std::string_view text, NormalForm form) {
    int options = UTF8PROC_STABLE;
    options |= form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    if (form == NormalForm::nfkc || form == NormalForm::nfkd) options |= UTF8PROC_COMPAT;
    utf8proc_uint8_t* result = nullptr;
    const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &result,
                                               static_cast<utf8proc_option_t>(options));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
    if (size < 0)
        fail(ErrorKind::runtime, "Unicode normalization of {} bytes: {}", text.size(), utf8proc_errmsg(size));
    return std::string(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
}

}  // namespace

std::string normalize(std::string_view text, NormalForm form) {
    // A character of kNewForms stays as it is and, as a starter, parts what is before it from what follows.
    std::string out;
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = next_char(text.data() + at);
        if (in_ranges(kNewForms, c.code)) {
            if (at > done) out += normalize_all(text.substr(done, at - done), form);
            out += text.substr(at, c.size);
            done = at + c.size;
        }
        at += c.size;
    }
    if (done == 0) return normalize_all(text, form);
    if (done < text.size()) out += normalize_all(text.substr(done), form);
    return out;
}

}  // namespace tinyllm
