// SHA-256 (FIPS 180-4), for naming the models and data that figures belong to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tinyllm::eval {

class Sha256 {
  public:
    void update(const void* data, std::size_t bytes);
    std::string hex();  ///< ends the sum; call once

  private:
    void block(const std::uint8_t* bytes);
    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> open_{};
    std::uint64_t bytes_ = 0;
};

std::string sha256_of(std::string_view text);

/// Of a file's bytes. Throws Error(not_found, runtime).
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace tinyllm::eval
