// Hashes for the flat tables: short byte strings and pairs of ids.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tinyllm {

inline std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ULL;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ULL;
    x ^= x >> 32;
    return x;
}

inline std::uint64_t hash_bytes(std::string_view s) {
    const char* p = s.data();
    std::size_t n = s.size();
    std::uint64_t h = n * 0x9E3779B97F4A7C15ULL;
    std::uint64_t word = 0;
    for (; n > 8; n -= 8, p += 8) {
        std::memcpy(&word, p, 8);
        h = mix(h ^ word);
    }
    word = 0;
    std::memcpy(&word, p, n);
    return mix(h ^ word);
}

}  // namespace tinyllm
