// Energy, means and what results say of them.
#include <gtest/gtest.h>

#include "tools/monitor/usage.h"

namespace tinyllm::monitor {
namespace {

using Values = std::vector<std::optional<double>>;

Window of(const std::vector<Channel>& channels, const std::vector<std::pair<double, Values>>& samples) {
    Window window(channels, 0.1);
    for (const auto& [now, values] : samples) window.add(now, values);
    return window;
}

TEST(Window, EnergyIsTheAreaUnderPower) {
    const Window window = of({{"VDD_IN", Quantity::power, Covers::whole}, {"VDD_SOC", Quantity::power}},
                             {{10, {4.0, 1.0}}, {10.5, {6.0, 1.0}}, {12, {6.0, 1.0}}});
    const auto energy = energy_of(window);
    ASSERT_TRUE(energy);
    EXPECT_NEAR(energy->joules, 2.5 + 9, 1e-12);
    EXPECT_EQ(energy->of, "VDD_IN");
    EXPECT_EQ(energy->most_watts, 6.0);
    const Json usage = usage_json(window, 2.0, {{"power_mode", "15W"}});
    EXPECT_EQ(usage.at("seconds"), 2.0);
    EXPECT_NEAR(usage.at("power_W").get<double>(), 5.75, 1e-12);
    EXPECT_NEAR(usage.at("energy_net_J").get<double>(), 7.5, 1e-12);
    EXPECT_EQ(usage.at("idle_W"), 2.0);
    EXPECT_EQ(usage.at("rails_W").at("VDD_SOC"), 1.0);
    EXPECT_EQ(usage.at("power_mode"), "15W");
    EXPECT_TRUE(usage.at("governor").is_null());
}

TEST(Window, PartsAddUp) {
    const Window window = of({{"package-0", Quantity::energy, Covers::part},
                              {"core-0", Quantity::energy},
                              {"GPU 0", Quantity::power, Covers::part}},
                             {{0, {100.0, 50.0, 20.0}}, {1, {107.0, 51.0, 20.0}}, {2, {110.0, 52.0, 20.0}}});
    const auto energy = energy_of(window);
    ASSERT_TRUE(energy);
    EXPECT_NEAR(energy->joules, 10 + 40, 1e-12);
    EXPECT_EQ(energy->of, "package-0 + GPU 0");
    EXPECT_FALSE(energy->most_watts);
}

TEST(Window, SilenceIsNotZero) {
    const std::vector<Channel> channels = {{"VDD_IN", Quantity::power, Covers::whole}};
    EXPECT_FALSE(energy_of(of(channels, {{0, {{}}}, {1, {{}}}})));
    EXPECT_FALSE(energy_of(of({}, {{0, {}}, {1, {}}})));
    // Silent for half of the time: nobody knows. For a moment: the rest speaks for it.
    EXPECT_FALSE(energy_of(of(channels, {{0, {5.0}}, {1, {5.0}}, {2, {{}}}})));
    const auto energy =
        energy_of(of(channels, {{0, {5.0}}, {10, {{}}}, {10.1, {5.0}}, {11, {5.0}}, {12, {5.0}}}));
    EXPECT_FALSE(energy);  // ten seconds between two readings are too many
    const auto bridged = energy_of(of(channels, {{0, {5.0}}, {1, {{}}}, {2, {5.0}}, {2.1, {{}}}}));
    ASSERT_TRUE(bridged);
    EXPECT_NEAR(bridged->joules, 10.5, 1e-12);
    const Json usage = usage_json(of({}, {{0, {}}, {1, {}}}), {}, Json::object());
    for (const char* key :
         {"energy_J", "energy_net_J", "power_W", "temp_C", "throttled", "clocks", "power_mode"})
        EXPECT_TRUE(usage.at(key).is_null()) << key;
    EXPECT_TRUE(usage.at("memory").at("device_peak").is_null());
    EXPECT_EQ(not_measured(usage, {"a: Permission denied"}), "energy, temperature; a: Permission denied");
    EXPECT_EQ(not_measured(usage_json({}, {}, Json::object()), {}), "");  // nobody asked
    EXPECT_NE(usage_words(usage).find("energy        not measured"), std::string::npos);
}

TEST(Window, StretchesJoinWithoutWhatLayBetween) {
    const std::vector<Channel> channels = {{"VDD_IN", Quantity::power, Covers::whole},
                                           {"tj", Quantity::temperature},
                                           {"heat", Quantity::throttle},
                                           {"cpu0-3", Quantity::clock}};
    Window all;
    all.add(of(channels, {{0, {4.0, 50.0, 0.0, 1000.0}}, {1, {4.0, 70.0, 0.0, 1000.0}}}));
    all.add(Window());
    all.add(of(channels, {{100, {6.0, 60.0, 1.0, 500.0}}, {101, {6.0, 65.0, 0.0, 500.0}}}));
    const Json usage = usage_json(all, {}, Json::object());
    EXPECT_NEAR(usage.at("energy_J").get<double>(), 10, 1e-12);
    EXPECT_EQ(usage.at("seconds"), 2.0);
    EXPECT_EQ(usage.at("samples"), 4);
    EXPECT_EQ(usage.at("temp_C"), 70.0);
    EXPECT_EQ(usage.at("temp_start_C"), 50.0);
    EXPECT_EQ(usage.at("temp_sensor"), "tj");
    EXPECT_EQ(usage.at("throttled"), true);
    EXPECT_EQ(usage.at("throttle_reasons"), Json::array({"heat"}));
    EXPECT_EQ(usage.at("clocks").at("cpu0-3"), (Json{{"mean", 750.0}, {"least", 500.0}, {"most", 1000.0}}));
    EXPECT_TRUE(usage.at("energy_net_J").is_null());
}

TEST(Usage, JoulesPerQuestion) {
    Json usage = usage_json(of({{"VDD_IN", Quantity::power, Covers::whole}}, {{0, {5.0}}, {2, {5.0}}}), 1.0,
                            Json::object());
    add_joules_per_question(usage, 4, 2);
    EXPECT_EQ(usage.at("joules_per_question"), 2.5);
    EXPECT_EQ(usage.at("joules_per_question_net"), 2.0);
    EXPECT_EQ(usage.at("joules_per_correct"), 5.0);
    add_joules_per_question(usage, 4, 0);
    EXPECT_TRUE(usage.at("joules_per_correct").is_null());
}

}  // namespace
}  // namespace tinyllm::monitor
