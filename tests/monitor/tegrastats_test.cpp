// Lines of tegrastats: the forms of JetPack 4, 5 and 6, torn ones and none.
#include "tools/monitor/tegrastats.h"

#include <gtest/gtest.h>

#include "tinyllm/error.h"
#include "tools/monitor/sample_log.h"
#include "tools/monitor/usage.h"

namespace tinyllm::monitor {
namespace {

const char* const kNanoLine =
    "RAM 2462/3964MB (lfb 2x4MB) SWAP 362/1982MB (cached 18MB) IRAM 0/252kB(lfb 252kB) CPU "
    "[50%@1400,40%@1400,off,30%@1550] EMC_FREQ 5%@1600 GR3D_FREQ 29%@921 APE 25 PLL@38C CPU@42.5C PMIC@100C "
    "GPU@40C "
    "AO@47C thermal@41C POM_5V_IN 4538/4600 POM_5V_GPU 402/400 POM_5V_CPU 1044/1000";
const char* const kOrinLine =
    "01-02-2026 12:00:00 RAM 2448/7471MB (lfb 1x4MB) SWAP 0/3735MB (cached 0MB) CPU "
    "[1%@729,3%@729,off,off,off,off] EMC_FREQ 0%@2133 GR3D_FREQ 7%@[305] NVDEC off cv0@-256C cpu@47.5C "
    "tj@48.25C "
    "VDD_IN 4702mW/4650mW VDD_CPU_GPU_CV 483mW/483mW VDD_SOC 1450mW/1450mW NEW_FIELD 3%@x future@C";

Json shown(std::string_view line) {
    std::vector<Channel> channels;
    std::vector<std::optional<double>> values;
    for (const auto& [channel, value] : parse_tegrastats(line)) {
        channels.push_back(channel);
        values.emplace_back(value);
    }
    return readings_json(channels, values);
}

TEST(Tegrastats, JetPack4) {
    const Json got = shown(kNanoLine);
    EXPECT_EQ(got.at("memory_bytes").at("ram_used"), std::int64_t{2462} << 20);
    EXPECT_NEAR(got.at("load").at("cpu").get<double>(), 0.4, 1e-12);
    EXPECT_NEAR(got.at("clock_MHz").at("cpu").get<double>(), 1450, 1e-9);
    EXPECT_NEAR(got.at("load").at("gpu").get<double>(), 0.29, 1e-12);
    EXPECT_EQ(got.at("clock_MHz").at("emc"), 1600.0);
    EXPECT_EQ(got.at("temp_C").size(), 5u);
    EXPECT_FALSE(got.at("temp_C").contains("PMIC"));
    EXPECT_NEAR(got.at("power_W").at("POM_5V_IN").get<double>(), 4.538, 1e-12);
    EXPECT_EQ(got.at("power_W").size(), 3u);
}

TEST(Tegrastats, JetPack6AndFieldsUnknown) {
    const Json got = shown(kOrinLine);
    EXPECT_EQ(got.at("clock_MHz").at("gpu"), 305.0);
    EXPECT_NEAR(got.at("load").at("cpu").get<double>(), 0.02, 1e-12);
    EXPECT_EQ(got.at("temp_C"), (Json{{"cpu", 47.5}, {"tj", 48.25}}));
    EXPECT_NEAR(got.at("power_W").at("VDD_IN").get<double>(), 4.702, 1e-12);
    EXPECT_EQ(got.at("power_W").size(), 3u);
    for (const auto& [channel, value] : parse_tegrastats(kOrinLine))
        EXPECT_EQ(channel.covers == Covers::whole, channel.name == "VDD_IN") << channel.name;
}

TEST(Tegrastats, TornLinesGiveWhatIsWhole) {
    const std::string line = kOrinLine;
    for (std::size_t size = 0; size < line.size(); ++size) {
        const auto readings = parse_tegrastats(std::string_view(line).substr(0, size));
        EXPECT_LE(readings.size(), parse_tegrastats(line).size());
        for (const auto& [channel, value] : readings) EXPECT_TRUE(value >= 0 && value < 1e11) << channel.name;
    }
    for (const char* text :
         {"", "\n", "CPU", "CPU [", "CPU []", "CPU [%@]", "RAM /MB", "a@", "@1C", "x 1/", "x 1mW/2",
          "VDD_IN -5mW/1mW", "GR3D_FREQ %", "a@99999999999999999999C", "RAM 1/2kB"})
        EXPECT_TRUE(parse_tegrastats(text).empty()) << text;
}

TEST(Tegrastats, ReplayOfALog) {
    const std::string log = std::string(kOrinLine) + "\nnoise\n" + kOrinLine + "\r\n" + kNanoLine;
    int samples = 0;
    const Window window =
        replay_tegrastats(log, "log", 2.0, [&](double t, const auto& channels, auto values) {
            EXPECT_EQ(t, 2.0 * samples++);
            EXPECT_EQ(channels.size(), values.size());
        });
    EXPECT_EQ(samples, 3);
    EXPECT_EQ(window.seconds(), 4.0);
    EXPECT_EQ(usage_json(window, {}, Json::object()).at("temp_C"), 48.25);
    EXPECT_THROW(replay_tegrastats("nothing\nhere", "log", 1, [](double, const auto&, auto) {}), Error);
}

}  // namespace
}  // namespace tinyllm::monitor
