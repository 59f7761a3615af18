// SHA-1 (FIPS 180-4): git names files that are not in large-file storage by it. No protection against
// forgery.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tinyllm::hub {

class Sha1 {
  public:
    void update(const void* data, std::size_t bytes);
    std::string hex();  ///< ends the sum; call once

  private:
    void block(const std::uint8_t* bytes);
    std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::array<std::uint8_t, 64> open_{};
    std::uint64_t bytes_ = 0;
};

}  // namespace tinyllm::hub
