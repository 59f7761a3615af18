// SHA-256 (FIPS 180-4), for naming the models and data that figures belong to.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tools/block_digest.h"

namespace tinyllm::eval {

struct Sha256Rule {
    static constexpr std::array<std::uint32_t, 8> kStart{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    static void mix(std::array<std::uint32_t, 8>& state, const std::array<std::uint32_t, 16>& words);
};
using Sha256 = BlockDigest<Sha256Rule>;

std::string sha256_of(std::string_view text);

/// Of a file's bytes. Throws Error(not_found, runtime).
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace tinyllm::eval
