#include "tools/eval/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace tinyllm::eval {
namespace {

struct Special {
    std::uint32_t from;
    const char* to;
};
// Title case of the characters that become several (SpecialCasing.txt), written by
// tests/eval/make_title_case.py.
constexpr Special kTitleSpecials[] = {
#include "tools/eval/title_case.inc"
};

std::vector<std::uint32_t> decode(std::string_view text) {
    std::vector<std::uint32_t> result;
    const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    auto left = static_cast<utf8proc_ssize_t>(text.size());
    while (left > 0) {
        utf8proc_int32_t code = 0;
        utf8proc_ssize_t n = utf8proc_iterate(at, left, &code);
        if (n <= 0) {  // not UTF-8: cannot come out of the JSON reader
            code = 0xfffd;
            n = 1;
        }
        result.push_back(static_cast<std::uint32_t>(code));
        at += n;
        left -= n;
    }
    return result;
}

void append(std::string& out, std::uint32_t code) {
    utf8proc_uint8_t bytes[4];
    auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
}

// The Unicode properties Cased and Case_Ignorable, which decide how a capital sigma is lowered.
bool is_cased(std::uint32_t code) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
            return true;
        default:
            return code == 0xaa || code == 0xba || (code >= 0x2160 && code <= 0x217f) ||
                   (code >= 0x24b6 && code <= 0x24e9);
    }
}

bool is_case_ignorable(std::uint32_t code) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_ME:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_SK:
            return true;
        default:
            break;
    }
    static constexpr std::uint32_t kPunctuation[] = {
        0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
        0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a,
    };
    return std::binary_search(std::begin(kPunctuation), std::end(kPunctuation), code);
}

bool is_final_sigma(const std::vector<std::uint32_t>& text, std::size_t at) {
    std::size_t before = at;
    while (before > 0 && is_case_ignorable(text[before - 1])) --before;
    if (before == 0 || !is_cased(text[before - 1])) return false;
    std::size_t after = at + 1;
    while (after < text.size() && is_case_ignorable(text[after])) ++after;
    return after == text.size() || !is_cased(text[after]);
}

}  // namespace

bool is_python_space(std::uint32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

std::size_t trailing_space_bytes(std::string_view text) {
    std::size_t end = text.size();
    while (end > 0) {
        std::size_t start = end - 1;
        while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
        if (!is_python_space(decode(text.substr(start, end - start)).front())) break;
        end = start;
    }
    return text.size() - end;
}

std::string python_strip(std::string_view text) {
    text.remove_suffix(trailing_space_bytes(text));
    while (!text.empty()) {
        std::size_t n = 1;
        while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) ++n;
        if (!is_python_space(decode(text.substr(0, n)).front())) break;
        text.remove_prefix(n);
    }
    return std::string(text);
}

std::size_t code_points(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string python_capitalize(std::string_view text) {
    const std::vector<std::uint32_t> codes = decode(text);
    std::string result;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const auto code = static_cast<utf8proc_int32_t>(codes[i]);
        if (i == 0) {
            auto special = std::find_if(std::begin(kTitleSpecials), std::end(kTitleSpecials),
                                        [&](const Special& s) { return s.from == codes[0]; });
            if (special != std::end(kTitleSpecials)) {
                result += special->to;
            } else {
                append(result, static_cast<std::uint32_t>(utf8proc_totitle(code)));
            }
        } else if (codes[i] == 0x3a3) {
            append(result, is_final_sigma(codes, i) ? 0x3c2 : 0x3c3);
        } else if (codes[i] == 0x130) {
            result += "i\u0307";
        } else {
            append(result, static_cast<std::uint32_t>(utf8proc_tolower(code)));
        }
    }
    return result;
}

void list_item(std::string& list, std::string_view item) {
    if (!list.empty()) list += ", ";
    list += item;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    std::size_t at = 0;
    for (std::size_t hit; (hit = text.find(from, at)) != std::string_view::npos; at = hit + from.size()) {
        result += text.substr(at, hit - at);
        result += to;
    }
    result += text.substr(at);
    return result;
}

}  // namespace tinyllm::eval
