// Numbers that Python printed; the line beside each is the one that made them.
#include "tools/eval/python_random.h"

#include <gtest/gtest.h>

namespace tinyllm::eval {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers first_words(std::uint32_t seed, std::size_t count) {
    PythonRandom random(seed);
    Numbers drawn(count);
    for (std::uint32_t& word : drawn) word = random.bits(32);
    return drawn;
}

TEST(PythonRandom, Words) {
    // r = random.Random(seed); print([r.getrandbits(32) for _ in range(n)])
    EXPECT_EQ(first_words(1234, 6),
              (Numbers{4150886329, 3342196574, 1892932127, 501869158, 32175636, 389311301}));
    EXPECT_EQ(first_words(0, 3), (Numbers{3626764237, 1654615998, 3255389356}));
    EXPECT_EQ(first_words(4294967295, 3), (Numbers{2728839433, 2661025012, 872737089}));
    EXPECT_EQ(first_words(1234, 2001).back(), 558462902u) << "behind three renewals of the state";
}

TEST(PythonRandom, FewerBits) {
    // r = random.Random(1234); print([r.getrandbits(k) for k in (1, 2, 7, 31, 32)])
    PythonRandom random(1234);
    EXPECT_EQ(random.bits(1), 1u);
    EXPECT_EQ(random.bits(2), 3u);
    EXPECT_EQ(random.bits(7), 56u);
    EXPECT_EQ(random.bits(31), 250934579u);
    EXPECT_EQ(random.bits(32), 32175636u);
}

TEST(PythonRandom, Below) {
    // r = random.Random(1234); print([r.randrange(n) for n in (1, 2, 3, 5, 64, 65, 1000, 4294967295)])
    PythonRandom random(1234);
    Numbers drawn;
    for (std::uint32_t n : {1u, 2u, 3u, 5u, 64u, 65u, 1000u, 4294967295u}) drawn.push_back(random.below(n));
    EXPECT_EQ(drawn, (Numbers{0, 0, 0, 0, 4, 10, 100, 3292010550}));
}

// print(random.Random(seed).sample(range(n), count)). The borders are where Python's two ways part; each seed
// is one for which they draw differently.
TEST(PythonRandom, Samples) {
    auto sample = [](std::uint32_t seed, std::uint32_t n, std::uint32_t count) {
        return PythonRandom(seed).sample(n, count);
    };
    EXPECT_EQ(sample(1234, 2251, 5), (Numbers{1805, 478, 30, 371, 143}));
    EXPECT_EQ(sample(7, 40398, 6), (Numbers{21222, 9886, 25875, 3164, 4747, 35119}));
    EXPECT_EQ(sample(1234, 5, 5), (Numbers{3, 0, 4, 2, 1}));
    EXPECT_EQ(sample(2, 21, 5), (Numbers{1, 2, 19, 11, 5}));
    EXPECT_EQ(sample(2, 22, 5), (Numbers{1, 2, 11, 5, 21}));
    EXPECT_EQ(sample(5, 85, 6), (Numbers{79, 32, 45, 67, 3, 59}));
    EXPECT_EQ(sample(2, 86, 6), (Numbers{7, 11, 10, 46, 21, 85}));
    EXPECT_EQ(sample(0, 86, 21),
              (Numbers{49, 53, 5, 33, 65, 62, 51, 38, 61, 45, 74, 27, 64, 17, 36, 12, 79, 32, 68, 77, 18}));
    EXPECT_EQ(sample(0, 278, 22), (Numbers{197, 215, 20,  132, 261, 248, 207, 155, 244, 183, 111,
                                           258, 71,  144, 48,  128, 272, 75,  158, 50,  37,  169}));
    EXPECT_EQ(sample(1234, 10, 0), Numbers{});
}

TEST(PythonRandom, SamplesFollowEachOther) {
    // r = random.Random(1234); print([r.sample(range(9427), 6) for _ in range(3)])
    PythonRandom random(1234);
    EXPECT_EQ(random.sample(9427, 6), (Numbers{7220, 1914, 122, 1485, 572, 1375}));
    EXPECT_EQ(random.sample(9427, 6), (Numbers{1612, 5810, 3879, 285, 504, 259}));
    EXPECT_EQ(random.sample(9427, 6), (Numbers{5670, 7933, 7594, 2433, 1495, 2999}));
}

}  // namespace
}  // namespace tinyllm::eval
