#include "tools/hub/sha1.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace tinyllm::hub {

void Sha1::block(const std::uint8_t* bytes) {
    std::uint32_t w[80];
    for (int i = 0; i < 16; ++i)
        w[i] = std::uint32_t{bytes[4 * i]} << 24 | std::uint32_t{bytes[4 * i + 1]} << 16 |
               std::uint32_t{bytes[4 * i + 2]} << 8 | bytes[4 * i + 3];
    for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state_;
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
    for (std::size_t i = 0; i < 5; ++i) state_[i] += add[i];
}

void Sha1::update(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const std::uint8_t*>(data);
    const std::size_t used = bytes_ % 64;
    bytes_ += bytes;
    if (used != 0) {
        const std::size_t take = std::min(bytes, 64 - used);
        std::memcpy(open_.data() + used, at, take);
        at += take;
        bytes -= take;
        if (used + take < 64) return;
        block(open_.data());
    }
    for (; bytes >= 64; at += 64, bytes -= 64) block(at);
    if (bytes != 0) std::memcpy(open_.data(), at, bytes);
}

std::string Sha1::hex() {
    const std::uint64_t bits = bytes_ * 8;
    const std::uint8_t one = 0x80, zero = 0;
    update(&one, 1);
    while (bytes_ % 64 != 56) update(&zero, 1);
    std::uint8_t length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
    update(length, 8);
    std::string text;
    for (std::uint32_t word : state_) text += fmt::format("{:08x}", word);
    return text;
}

}  // namespace tinyllm::hub
