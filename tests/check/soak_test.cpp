#include "tools/check/soak.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tinyllm::check {
namespace {

constexpr double kMiB = 1 << 20;

/// `n` rounds a second apart, of which `resident` says the size in MiB.
template <typename Resident>
std::vector<SoakRound> rounds_of(int n, const Resident& resident) {
    std::vector<SoakRound> rounds;
    for (int i = 1; i <= n; ++i)
        rounds.push_back({static_cast<double>(i), static_cast<std::int64_t>(resident(i) * kMiB), 5.0});
    return rounds;
}

TEST(Soak, SteadyGrowthIsALeak) {
    const SoakVerdict verdict = judge(rounds_of(80, [](int i) { return 100 + 0.05 * i; }));
    EXPECT_TRUE(verdict.leaks);
    EXPECT_NEAR(verdict.bytes_per_minute, 3 * kMiB, 0.2 * kMiB);
}

TEST(Soak, GrowthBelowAllocationsThatComeAndGoIsALeak) {
    EXPECT_TRUE(judge(rounds_of(80, [](int i) { return 100 + 0.05 * i + (i % 3 == 0 ? 20 : 0); })).leaks);
}

TEST(Soak, WarmingUpIsNone) {
    const SoakVerdict verdict = judge(rounds_of(80, [](int i) { return i < 15 ? 50 + i : 65; }));
    EXPECT_FALSE(verdict.leaks);
    EXPECT_EQ(verdict.bytes_per_minute, 0);
}

TEST(Soak, OneStepIsNone) {
    EXPECT_FALSE(judge(rounds_of(80, [](int i) { return i < 50 ? 100 : 130; })).leaks);
}

TEST(Soak, ComingAndGoingIsNone) {
    EXPECT_FALSE(judge(rounds_of(80, [](int i) { return 100 + 10 * std::sin(i); })).leaks);
}

TEST(Soak, WhatShrinksIsNone) {
    EXPECT_FALSE(judge(rounds_of(80, [](int i) { return 200 - i; })).leaks);
}

TEST(Soak, FewRoundsSayNothing) {
    EXPECT_FALSE(judge(rounds_of(15, [](int i) { return 100 * i; })).leaks);
    EXPECT_FALSE(judge(rounds_of(1, [](int) { return 100; })).leaks);
    EXPECT_FALSE(judge({}).leaks);
}

TEST(Soak, RoundsThatLeavePartsEmpty) {
    std::vector<SoakRound> rounds = rounds_of(20, [](int i) { return 100 + i; });
    rounds.back().seconds = 200;  // one very long round
    EXPECT_FALSE(judge(rounds).leaks);
}

TEST(Soak, DriftIsTheLossOfSpeed) {
    std::vector<SoakRound> rounds = rounds_of(80, [](int) { return 100; });
    for (SoakRound& round : rounds) round.token_ms = round.seconds < 50 ? 4 : 5;
    const SoakVerdict verdict = judge(rounds);
    EXPECT_DOUBLE_EQ(verdict.first_token_ms, 4);
    EXPECT_DOUBLE_EQ(verdict.last_token_ms, 5);
    EXPECT_NEAR(verdict.drift, -0.2, 1e-12);
}

}  // namespace
}  // namespace tinyllm::check
