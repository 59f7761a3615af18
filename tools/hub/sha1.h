// SHA-1 (FIPS 180-4): git names files that are not in large-file storage by it. No protection against
// forgery.
#pragma once

#include "tools/block_digest.h"

namespace tinyllm::hub {

struct Sha1Rule {
    static constexpr std::array<std::uint32_t, 5> kStart{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                                                         0xc3d2e1f0};
    static void mix(std::array<std::uint32_t, 5>& state, const std::array<std::uint32_t, 16>& words);
};
using Sha1 = BlockDigest<Sha1Rule>;

}  // namespace tinyllm::hub
