// The sampling thread, and waiting for a hot board.
#include "tools/monitor/sampler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/monitor/fake_boards.h"
#include "tinyllm/error.h"
#include "tools/log.h"
#include "tools/monitor/cooldown.h"
#include "tools/monitor/usage.h"

namespace tinyllm::monitor {
namespace {

void rest(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

TEST(Sampler, TellsTheEnergyOfAStretch) {
    const FakeTree tree;
    tree.orin_nano();
    Sampler sampler(0.005);
    EXPECT_TRUE(sampler.measures_energy());
    const auto idle = sampler.idle_watts(0.02);
    ASSERT_TRUE(idle);
    EXPECT_NEAR(*idle, 5.0, 1e-9);
    tree.write("sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input", "2000\n");
    sampler.begin();
    rest(30);
    const Window window = sampler.end();
    EXPECT_GE(window.samples(), 2u);
    const Json usage = usage_json(window, idle, sampler.facts());
    EXPECT_NEAR(usage.at("power_W").get<double>(), 10.0, 1e-9);
    EXPECT_NEAR(usage.at("energy_J").get<double>(), 10.0 * window.seconds(), 1e-9);
    EXPECT_NEAR(usage.at("energy_net_J").get<double>(), 5.0 * window.seconds(), 1e-9);
    EXPECT_EQ(usage.at("power_mode"), "15W");
    EXPECT_EQ(usage.at("temp_C"), 48.0);
    EXPECT_EQ(usage.at("throttled"), false);
}

TEST(Sampler, AStretchShorterThanTheIntervalHasBothEnds) {
    const FakeTree tree;
    tree.orin_nano();
    Sampler sampler(3600);
    sampler.begin();
    rest(2);
    const Window window = sampler.end();
    EXPECT_GE(window.samples(), 2u);
    EXPECT_TRUE(energy_of(window));
    EXPECT_EQ(sampler.end().samples(), 0u);  // nothing was begun
}

TEST(Sampler, OffMeasuresNothing) {
    const FakeTree tree;
    tree.orin_nano();
    Sampler sampler(0);
    sampler.begin();
    EXPECT_EQ(sampler.end().samples(), 0u);
    EXPECT_FALSE(sampler.idle_watts(10));  // at once
    EXPECT_FALSE(sampler.hottest());
    EXPECT_TRUE(sampler.channels().empty());
}

TEST(Sampler, SensorsThatVanishLeaveGaps) {
    const FakeTree tree;
    tree.orin_nano();
    Sampler sampler(0.002);
    ASSERT_TRUE(sampler.hottest());
    tree.remove("sys");
    sampler.begin();
    rest(10);
    const Json usage = usage_json(sampler.end(), {}, sampler.facts());
    EXPECT_TRUE(usage.at("energy_J").is_null());
    EXPECT_FALSE(sampler.hottest());
}

TEST(Cooldown, WaitsUntilTheHottestIsBelow) {
    log_level() = -1;
    const FakeTree tree;
    tree.orin_nano();
    tree.thermal_zone(1, "gpu-thermal", "81000");
    Sampler sampler(0.01);
    const auto hottest = sampler.hottest();
    ASSERT_TRUE(hottest);
    EXPECT_EQ(hottest->celsius, 81.0);
    EXPECT_EQ(hottest->sensor, "gpu-thermal");
    EXPECT_TRUE(wait_until_cool(sampler, 90, 0, "a"));
    EXPECT_FALSE(wait_until_cool(sampler, 60, 0.02, "b"));
    std::thread fan([&] {
        rest(50);
        tree.thermal_zone(1, "gpu-thermal", "59000");
    });
    EXPECT_TRUE(wait_until_cool(sampler, 60, 60, "c"));
    fan.join();
}

TEST(Cooldown, GuardsNeedASensor) {
    const FakeTree tree;
    MonitorFlags flags;
    EXPECT_NO_THROW(check_temperature_guards(flags));
    flags.max_temp = 80;
    EXPECT_THROW(check_temperature_guards(flags), Error);
    tree.thermal_zone(0, "cpu-thermal", "garbage");
    EXPECT_THROW(check_temperature_guards(flags), Error);
    tree.thermal_zone(0, "cpu-thermal", "40000");
    EXPECT_NO_THROW(check_temperature_guards(flags));
    flags.interval = 0;
    EXPECT_THROW(check_temperature_guards(flags), Error);
}

}  // namespace
}  // namespace tinyllm::monitor
