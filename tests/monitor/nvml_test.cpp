// GPUs by NVIDIA's management library, of which the tests build one of their own.
#include <gtest/gtest.h>

#include "tests/monitor/fake_boards.h"
#include "tools/monitor/usage.h"

namespace tinyllm::monitor {
namespace {

void put_nvml(const FakeTree& tree) {
    std::filesystem::create_directories(tree.path("usr/lib"));
    std::filesystem::create_symlink(TINYLLM_FAKE_NVML, tree.path("usr/lib/libnvidia-ml.so.1"));
}

TEST(Nvml, TwoGpus) {
    const FakeTree tree;
    tree.n100();
    put_nvml(tree);
    Sensors sensors;
    std::vector<std::optional<double>> values;
    sensors.read(1, values);
    const std::vector<std::optional<double>> first = values;
    const Json got = readings_json(sensors.channels(), values);
    EXPECT_EQ(got.at("power_W"), (Json{{"GPU 0", 120.5}, {"GPU 1", 30.0}}));
    EXPECT_EQ(got.at("temp_C").at("GPU 0"), 64.0);
    EXPECT_TRUE(got.at("temp_C").at("GPU 1").is_null());
    EXPECT_EQ(got.at("clock_MHz").at("GPU 0"), 1410.0);
    EXPECT_EQ(got.at("clock_MHz").at("GPU 0 memory"), 5001.0);
    EXPECT_EQ(got.at("load").at("GPU 0"), 0.75);
    EXPECT_TRUE(got.at("load").at("GPU 1").is_null());
    EXPECT_EQ(got.at("device_memory_bytes").at("GPU 1"), std::int64_t{2} << 30);
    EXPECT_EQ(got.at("throttled").at("GPU 0 heat (hardware)"), true);
    EXPECT_EQ(got.at("throttled").at("GPU 0 power cap"), false);
    EXPECT_TRUE(got.at("throttled").at("GPU 1 power cap").is_null());
    // The package's counter, the first GPU's counter and the second one's power: each once.
    Window window(sensors.channels(), 1);
    window.add(1, first);
    tree.write("sys/class/powercap/intel-rapl:0/energy_uj", "1010000000\n");
    sensors.read(2, values);
    window.add(2, values);
    const auto energy = energy_of(window);
    ASSERT_TRUE(energy);
    // Registered in the order of the sensors' names: nvml before rapl.
    EXPECT_EQ(energy->of, "GPU 0 + GPU 1 + package-0");
    double counted = 0;  // 1.5 J for each time that either GPU was asked
    for (std::size_t i = 0; i < sensors.channels().size(); ++i)
        if (sensors.channels()[i].name == "GPU 0" && sensors.channels()[i].quantity == Quantity::energy)
            counted = window.figures(i).integral;
    EXPECT_GT(counted, 0);
    EXPECT_NEAR(energy->joules, counted + 30 + 10, 1e-9);
    EXPECT_EQ(usage_json(window, {}, Json::object()).at("memory").at("device_peak"), std::int64_t{2} << 30);
}

TEST(Nvml, NotOnJetson) {
    const FakeTree tree;
    tree.orin_nano();
    put_nvml(tree);
    EXPECT_FALSE(Sensors().has(Quantity::device_memory));
}

TEST(Nvml, WithoutADriverOrALibrary) {
    const FakeTree tree;
    std::filesystem::create_directories(tree.path("usr/lib"));
    tree.write("usr/lib/libnvidia-ml.so.1", "no library");
    EXPECT_TRUE(Sensors().channels().empty());
    tree.remove("usr/lib/libnvidia-ml.so.1");
    put_nvml(tree);
    ::setenv("FAKE_NVML_BROKEN", "1", 1);
    const Sensors sensors;
    ::unsetenv("FAKE_NVML_BROKEN");
    EXPECT_TRUE(sensors.channels().empty());
    ASSERT_EQ(sensors.notes().size(), 1u);
}

}  // namespace
}  // namespace tinyllm::monitor
