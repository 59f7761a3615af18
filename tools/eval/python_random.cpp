#include "tools/eval/python_random.h"

#include <bit>
#include <cassert>
#include <numeric>
#include <unordered_set>

namespace tinyllm::eval {

// Python seeds by the generator's array form, here with the array [seed]: the state of a fixed number is
// stirred with the seed, then with itself.
PythonRandom::PythonRandom(std::uint32_t seed) {
    auto scramble = [](std::uint32_t word) { return word ^ (word >> 30); };
    state_[0] = 19650218u;
    for (std::uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253u * scramble(state_[i - 1]) + i;
    std::size_t at = 1;
    auto step = [&] {
        if (++at < kWords) return;
        state_[0] = state_[kWords - 1];
        at = 1;
    };
    for (std::size_t i = 0; i < kWords; ++i, step())
        state_[at] = (state_[at] ^ (scramble(state_[at - 1]) * 1664525u)) + seed;
    for (std::size_t i = 0; i + 1 < kWords; ++i, step())
        state_[at] = (state_[at] ^ (scramble(state_[at - 1]) * 1566083941u)) - static_cast<std::uint32_t>(at);
    state_[0] = 0x80000000u;
}

std::uint32_t PythonRandom::next() {
    if (used_ == kWords) {
        for (std::size_t i = 0; i < kWords; ++i) {
            const std::uint32_t joined = (state_[i] & 0x80000000u) | (state_[(i + 1) % kWords] & 0x7fffffffu);
            state_[i] = state_[(i + 397) % kWords] ^ (joined >> 1) ^ (joined & 1 ? 0x9908b0dfu : 0u);
        }
        used_ = 0;
    }
    std::uint32_t word = state_[used_++];
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680u;
    word ^= (word << 15) & 0xefc60000u;
    return word ^ (word >> 18);
}

std::uint32_t PythonRandom::bits(unsigned bits) {
    assert(bits >= 1 && bits <= 32);
    return next() >> (32 - bits);
}

std::uint32_t PythonRandom::below(std::uint32_t n) {
    assert(n > 0);
    const auto width = static_cast<unsigned>(std::bit_width(n));
    std::uint32_t drawn = bits(width);
    while (drawn >= n) drawn = bits(width);
    return drawn;
}

std::vector<std::uint32_t> PythonRandom::sample(std::uint32_t n, std::uint32_t count) {
    assert(count <= n);
    // Python lists a small population and remembers what it took from a large one. Which of the two draws
    // other numbers, so its border between them (the size of a set of `count`) is part of the result.
    std::uint64_t border = 21;
    if (count > 5) {
        std::uint64_t table = 1;
        while (table < 3 * std::uint64_t{count}) table *= 4;
        border += table;
    }
    std::vector<std::uint32_t> result;
    result.reserve(count);
    if (n <= border) {
        std::vector<std::uint32_t> pool(n);
        std::iota(pool.begin(), pool.end(), 0u);
        for (std::uint32_t left = n; result.size() < count; --left) {
            const std::uint32_t at = below(left);
            result.push_back(pool[at]);
            pool[at] = pool[left - 1];
        }
        return result;
    }
    std::unordered_set<std::uint32_t> taken;
    while (result.size() < count) {
        const std::uint32_t drawn = below(n);
        if (taken.insert(drawn).second) result.push_back(drawn);
    }
    return result;
}

}  // namespace tinyllm::eval
