#include "tokenizers/byte_level.h"

#include <array>

#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

struct Tables {
    std::array<char32_t, 256> to_char{};
    std::array<short, 0x200> to_byte{};

    Tables() {
        to_byte.fill(-1);
        char32_t next = 0x100;
        for (unsigned b = 0; b < 256; ++b) {
            const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            to_char[b] = printable ? b : next++;
            to_byte[to_char[b]] = static_cast<short>(b);
        }
    }
};

const Tables& tables() {
    static const Tables t;
    return t;
}

}  // namespace

std::string to_byte_level(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    for (const char b : bytes) append_utf8(out, tables().to_char[static_cast<unsigned char>(b)]);
    return out;
}

bool from_byte_level(std::string_view text, std::string& out) {
    const auto& to_byte = tables().to_byte;
    const std::size_t before = out.size();
    out.resize(before + text.size());
    char* end = out.data() + before;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t code = static_cast<unsigned char>(text[at++]);
        if (code >= 0x80) {  // U+0080 to U+01FF take two bytes; what is not UTF-8 stands for nothing either
            const std::uint32_t more = at < text.size() ? static_cast<unsigned char>(text[at++]) : 0;
            code =
                code >= 0xC2 && code < 0xC8 && (more & 0xC0) == 0x80 ? (code & 0x1F) << 6 | (more & 0x3F) : 0;
        }
        if (to_byte[code] < 0) {
            out.resize(before);
            return false;
        }
        *end++ = static_cast<char>(to_byte[code]);
    }
    out.resize(static_cast<std::size_t>(end - out.data()));
    return true;
}

}  // namespace tinyllm
