// A hash that tells inputs apart by what they hold; no defence against an adversary.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace tinyllm {

class Fingerprint {
  public:
    /// Their number too, so that neighbours cannot trade bytes.
    Fingerprint& add(std::span<const std::byte> bytes) {
        mix(bytes.size());
        for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
            std::uint64_t word;
            std::memcpy(&word, bytes.data(), 8);
            mix(word);
        }
        std::uint64_t rest = 0;
        if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
        mix(rest);
        return *this;
    }
    Fingerprint& add(std::string_view text) { return add(std::as_bytes(std::span(text))); }
    template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>) Fingerprint& add(T value) {
        mix(static_cast<std::uint64_t>(value));
        return *this;
    }

    std::uint64_t value() const {
        std::uint64_t x = state_;
        x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
        x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
        return x ^ x >> 32;
    }

  private:
    void mix(std::uint64_t word) {
        state_ = std::rotl((state_ ^ word) * 0x9e3779b97f4a7c15u, 29) + 0x7f4a7c15u;
    }

    std::uint64_t state_ = 0x243f6a8885a308d3u;
};

}  // namespace tinyllm
