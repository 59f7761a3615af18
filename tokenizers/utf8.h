// UTF-8: reading, writing, repairing. Everything behind repair() may assume valid text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tinyllm {

/// One character of valid UTF-8 and the bytes it takes.
struct Utf8Char {
    char32_t code;
    std::uint32_t size;
};

/// The character at `p`; the text must be valid and not at its end.
inline Utf8Char next_char(const char* p) {
    const auto b = [p](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(p[i])); };
    const std::uint32_t first = b(0);
    if (first < 0x80) return {first, 1};
    if (first < 0xE0) return {(first & 0x1F) << 6 | (b(1) & 0x3F), 2};
    if (first < 0xF0) return {(first & 0x0F) << 12 | (b(1) & 0x3F) << 6 | (b(2) & 0x3F), 3};
    return {(first & 0x07) << 18 | (b(1) & 0x3F) << 12 | (b(2) & 0x3F) << 6 | (b(3) & 0x3F), 4};
}

/// Bytes of the character that starts with `first`.
inline std::uint32_t char_size(char first) {
    const auto b = static_cast<unsigned char>(first);
    return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

void append_utf8(std::string& out, char32_t code);

bool is_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);

/// Each maximal invalid part becomes one U+FFFD (Unicode 3.9, "substitution of maximal subparts"), as
/// Python's errors='replace' and Rust's from_utf8_lossy have it.
std::string repair_utf8(std::string_view text);

/// How many bytes at the end begin a character that more bytes could complete.
std::size_t open_tail(std::string_view text);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

}  // namespace tinyllm
