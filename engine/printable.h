// Names from untrusted files, made safe for a one-line message.
#pragma once

#include <string>
#include <string_view>

namespace tinyllm {

/// Control characters and bytes outside ASCII become \xNN; longer than `most` bytes is cut and marked "...".
inline std::string printable(std::string_view text, std::size_t most = 80) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    for (const char c : text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    if (text.size() > most) out += "...";
    return out;
}

}  // namespace tinyllm
