#include "tokenizers/precompiled.h"

#include <utf8proc.h>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    }
    return value;
}

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::string decode_base64(std::string_view text, const std::string& where) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    std::string bytes;
    std::uint32_t bits = 0;
    int n = 0;
    for (const char c : text) {
        const int value = base64_value(c);
        if (value < 0) fail(ErrorKind::corrupt, "{}: character map is not base64", where);
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        n += 6;
        if (n >= 8) {
            n -= 8;
            bytes.push_back(static_cast<char>(bits >> n & 0xFF));
        }
    }
    return bytes;
}

std::string encode_base64(std::string_view bytes) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            text += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
        }
    }
    return text;
}

CharsMap CharsMap::from_bytes(std::string_view blob, const std::string& where) {
    CharsMap map;
    if (blob.empty()) return map;
    if (blob.size() < 4) fail(ErrorKind::corrupt, "{}: character map of {} bytes", where, blob.size());
    const std::uint32_t trie = little_endian(blob, 0);
    if (trie % 4 != 0 || trie > blob.size() - 4) {
        fail(ErrorKind::corrupt, "{}: character map: trie of {} bytes in {}", where, trie, blob.size());
    }
    map.units_.resize(trie / 4);
    for (std::size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = little_endian(blob, 4 + 4 * i);
    map.replacements_ = std::string(blob.substr(4 + trie));
    if (!is_valid_utf8(map.replacements_)) fail(ErrorKind::corrupt, "{}: character map is not UTF-8", where);
    return map;
}

std::optional<CharsMap::Match> CharsMap::match(std::string_view text, bool longest) const {
    // darts-clone's unit: value or offset, leaf flag in bit 8, label in the low byte.
    const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
    std::optional<Match> found;
    if (units_.empty()) return found;
    std::uint32_t at = offset(units_[0]);
    for (std::size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
        at ^= static_cast<unsigned char>(text[i]);
        if (at >= units_.size()) break;
        const std::uint32_t unit = units_[at];
        if ((unit & (1U << 31 | 0xFF)) != static_cast<unsigned char>(text[i])) break;
        at ^= offset(unit);
        if (at >= units_.size()) break;
        if (unit >> 8 & 1) {
            const std::uint32_t value = units_[at] & ~(1U << 31);
            if (value >= replacements_.size()) continue;
            const std::string_view rest = std::string_view(replacements_).substr(value);
            found = Match{i + 1, rest.substr(0, rest.find('\0'))};
            if (!longest) break;
        }
    }
    return found;
}

std::string CharsMap::normalize_graphemes(std::string_view text) const {
    std::string out;
    out.reserve(text.size());
    const auto flush = [&](std::string_view cluster) {
        if (cluster.size() < 6) {
            if (const auto m = match(cluster, false)) {
                out += m->replacement;
                return;
            }
        }
        for (std::size_t at = 0; at < cluster.size();) {
            const std::size_t size = char_size(cluster[at]);
            const std::string_view part = cluster.substr(at, size);
            const auto m = match(part, false);
            out += m ? m->replacement : part;
            at += size;
        }
    };
    utf8proc_int32_t state = 0, before = -1;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = next_char(text.data() + at);
        const auto code = static_cast<utf8proc_int32_t>(c.code);
        if (before >= 0 && utf8proc_grapheme_break_stateful(before, code, &state)) {
            flush(text.substr(start, at - start));
            start = at;
        }
        before = code;
        at += c.size;
    }
    flush(text.substr(start));
    return out;
}

}  // namespace tinyllm
