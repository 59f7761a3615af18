// What SHA-1 and SHA-256 (FIPS 180-4) share: bytes gathered to blocks of 64, the padding behind the last.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace tinyllm {

/// `Rule` has kStart, the state before any block, and mix(state, words), which takes a block's 16 words in.
template <typename Rule>
class BlockDigest {
  public:
    void update(const void* data, std::size_t bytes) {
        const auto* at = static_cast<const std::uint8_t*>(data);
        while (bytes > 0) {
            const std::size_t used = bytes_ % open_.size(), take = std::min(bytes, open_.size() - used);
            std::memcpy(open_.data() + used, at, take);
            at += take;
            bytes -= take;
            bytes_ += take;
            if (used + take == open_.size()) mix_block();
        }
    }

    /// Ends the sum; call once.
    std::string hex() {
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

  private:
    void mix_block() {
        std::array<std::uint32_t, 16> words;
        for (std::size_t i = 0; i < 16; ++i)
            words[i] = std::uint32_t{open_[4 * i]} << 24 | std::uint32_t{open_[4 * i + 1]} << 16 |
                       std::uint32_t{open_[4 * i + 2]} << 8 | open_[4 * i + 3];
        Rule::mix(state_, words);
    }

    std::array<std::uint32_t, Rule::kStart.size()> state_ = Rule::kStart;
    std::array<std::uint8_t, 64> open_{};
    std::uint64_t bytes_ = 0;
};

}  // namespace tinyllm
