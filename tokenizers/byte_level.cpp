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
    const std::size_t before = out.size();
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = next_char(text.data() + at);
        const short byte = c.code < 0x200 ? tables().to_byte[c.code] : static_cast<short>(-1);
        if (byte < 0) {
            out.resize(before);
            return false;
        }
        out.push_back(static_cast<char>(byte));
        at += c.size;
    }
    return true;
}

}  // namespace tinyllm
