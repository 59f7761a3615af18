// Samples thinned to points: how many are left, and that no peak is lost.
#include "tools/monitor/trace.h"

#include <gtest/gtest.h>

#include "tools/monitor/window.h"

namespace tinyllm::monitor {
namespace {

const std::vector<Channel> kTraced = {{"package-0", Quantity::energy, Covers::part},
                                      {"core-0", Quantity::energy},
                                      {"GPU 0", Quantity::power, Covers::part},
                                      {"zone a", Quantity::temperature},
                                      {"zone b", Quantity::temperature},
                                      {"cpu0-3", Quantity::clock},
                                      {"cpu4-7", Quantity::clock},
                                      {"GPU 0 memory", Quantity::clock},
                                      {"hot", Quantity::throttle}};

TEST(Trace, FewPointsKeepMeansAndPeaks) {
    Trace trace(kTraced, 16);
    for (int i = 0; i < 1000; ++i) {
        const double hottest = i == 333 ? 91.0 : 60.0;
        trace.add(100 + 0.1 * i,
                  std::vector<std::optional<double>>{0.7 * i, 0.1 * i, 3.0, 50.0, hottest, 900.0, 1500.0,
                                                     9000.0, i == 40 ? 1.0 : 0.0});
    }
    const Json json = trace.json(100);
    const std::size_t n = json.at("t").size();
    EXPECT_LE(n, 16u);
    EXPECT_GE(n, 8u);
    for (const char* key : {"power_W", "temp_C", "cpu_MHz", "throttled"})
        EXPECT_EQ(json.at(key).size(), n) << key;
    double most = 0, held = 0;
    for (const Json& value : json.at("temp_C")) most = std::max(most, value.get<double>());
    for (const Json& value : json.at("throttled")) held += value.get<double>();
    EXPECT_EQ(most, 91.0);
    EXPECT_EQ(held, 1.0);
    for (const Json& value : json.at("power_W")) EXPECT_NEAR(value.get<double>(), 10.0, 1e-3);
    for (const Json& value : json.at("cpu_MHz")) EXPECT_EQ(value, 1500.0);
    EXPECT_TRUE(json.at("gpu_MHz").is_null()) << "a memory's clock is not the GPU's";
    for (std::size_t i = 1; i < n; ++i) EXPECT_LT(json.at("t")[i - 1], json.at("t")[i]);
    EXPECT_NEAR(json.at("t").back().get<double>(), 96, 4);
}

TEST(Trace, WhatIsNotReadIsNull) {
    Trace trace({{"VDD_IN", Quantity::power, Covers::whole}, {"VDD_SOC", Quantity::power, Covers::part}});
    EXPECT_TRUE(trace.json(0).is_null());
    trace.add(1, std::vector<std::optional<double>>{4.0, 1.0});
    trace.add(2, std::vector<std::optional<double>>{{}, 1.0});
    const Json json = trace.json(0);
    EXPECT_EQ(json.at("power_W"), (Json{4.0, nullptr}));
    EXPECT_TRUE(json.at("temp_C").is_null());
}

TEST(Trace, StretchesOfAWindowFollowEachOther) {
    const std::vector<Channel> channels = {{"VDD_IN", Quantity::power, Covers::whole}};
    Window window, first(channels, 0.1), second(channels, 0.1);
    first.add(1, std::vector<std::optional<double>>{4.0});
    second.add(9, std::vector<std::optional<double>>{6.0});
    window.add(first);
    window.add(second);
    EXPECT_EQ(window.trace().json(1).at("t"), (Json{0.0, 8.0}));
    EXPECT_EQ(window.trace().json(1).at("power_W"), (Json{4.0, 6.0}));
}

}  // namespace
}  // namespace tinyllm::monitor
