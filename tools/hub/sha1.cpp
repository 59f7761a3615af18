#include "tools/hub/sha1.h"

#include <bit>

namespace tinyllm::hub {

void Sha1Rule::mix(std::array<std::uint32_t, 5>& state, const std::array<std::uint32_t, 16>& words) {
    std::uint32_t w[80];
    std::copy(words.begin(), words.end(), w);
    for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state;
    for (int i = 0; i < 80; ++i) {
        std::uint32_t mixed, constant;
        if (i < 20) {
            mixed = (b & c) | (~b & d), constant = 0x5a827999;
        } else if (i < 40) {
            mixed = b ^ c ^ d, constant = 0x6ed9eba1;
        } else if (i < 60) {
            mixed = (b & c) | (b & d) | (c & d), constant = 0x8f1bbcdc;
        } else {
            mixed = b ^ c ^ d, constant = 0xca62c1d6;
        }
        const std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + w[i];
        e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    const std::uint32_t add[5] = {a, b, c, d, e};
    for (std::size_t i = 0; i < 5; ++i) state[i] += add[i];
}

}  // namespace tinyllm::hub
