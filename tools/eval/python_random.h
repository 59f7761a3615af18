// Python's random.Random, as far as drawing examples needs it: the harness's choices follow from its numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tinyllm::eval {

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) with CPython's seeding and ways to draw.
class PythonRandom {
  public:
    /// random.Random(seed)
    explicit PythonRandom(std::uint32_t seed);

    /// getrandbits(bits), 1 <= bits <= 32.
    std::uint32_t bits(unsigned bits);

    /// randrange(n): uniform below n, 0 < n < 2^32.
    std::uint32_t below(std::uint32_t n);

    /// sample(range(n), count): different numbers below n in the order drawn. count <= n < 2^32.
    std::vector<std::uint32_t> sample(std::uint32_t n, std::uint32_t count);

  private:
    static constexpr std::size_t kWords = 624;
    std::uint32_t next();

    std::array<std::uint32_t, kWords> state_{};
    std::size_t used_ = kWords;
};

}  // namespace tinyllm::eval
