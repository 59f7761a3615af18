#include "tokenizers/utf8.h"

#include <cstring>

namespace tinyllm {
namespace {

// Well-formed byte sequences: Unicode Standard, table 3-7.
struct Scan {
    std::size_t size;  // bytes of a valid character, or of the invalid part
    bool valid;
    bool cut;  // invalid only because the text ends
};

Scan scan(const unsigned char* p, std::size_t left) {
    const unsigned char first = p[0];
    if (first < 0x80) return {1, true, false};
    std::size_t size = 0;
    unsigned char low = 0x80, high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        size = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        size = 3;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else {
        return {1, false, false};
    }
    for (std::size_t i = 1; i < size; ++i) {
        if (i == left) return {i, false, true};
        if (p[i] < low || p[i] > high) return {i, false, false};
        low = 0x80;
        high = 0xBF;
    }
    return {size, true, false};
}

std::size_t ascii_prefix(const char* p, std::size_t size) {
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080ULL) break;
    }
    while (i < size && static_cast<unsigned char>(p[i]) < 0x80) ++i;
    return i;
}

}  // namespace

void append_utf8(std::string& out, char32_t code) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    const std::uint32_t c = code;
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | c >> 6);
        put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | c >> 12);
        put(0x80 | (c >> 6 & 0x3F));
        put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | c >> 18);
        put(0x80 | (c >> 12 & 0x3F));
        put(0x80 | (c >> 6 & 0x3F));
        put(0x80 | (c & 0x3F));
    }
}

bool is_ascii(std::string_view text) {
    return ascii_prefix(text.data(), text.size()) == text.size();
}

bool is_valid_utf8(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t i = 0;
    while (true) {
        i += ascii_prefix(text.data() + i, text.size() - i);
        if (i == text.size()) return true;
        const Scan s = scan(p + i, text.size() - i);
        if (!s.valid) return false;
        i += s.size;
    }
}

std::string repair_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 8);
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t i = 0; i < text.size();) {
        const Scan s = scan(p + i, text.size() - i);
        if (s.valid) {
            out.append(text.substr(i, s.size));
        } else {
            out.append(kReplacement);
        }
        i += s.size;
    }
    return out;
}

std::size_t open_tail(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const unsigned char byte = p[text.size() - back];
        if (byte < 0x80) return 0;
        if (byte >= 0xC0) return scan(p + text.size() - back, back).cut ? back : 0;
    }
    return 0;
}

}  // namespace tinyllm
