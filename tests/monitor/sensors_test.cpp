// What is found on each board, and what broken files do to it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/monitor/fake_boards.h"
#include "tools/monitor/program.h"
#include "tools/monitor/sensor.h"

namespace tinyllm::monitor {
namespace {

/// Everything the tree's sensors say, as `info` shows it.
Json read_tree(Sensors& sensors, double now = 1) {
    std::vector<std::optional<double>> values;
    sensors.read(now, values);
    return readings_json(sensors.channels(), values);
}

Json read_tree() {
    Sensors sensors;
    return read_tree(sensors);
}

TEST(Sensors, AnEmptyTreeHasNothing) {
    const FakeTree tree;
    Sensors sensors;
    EXPECT_TRUE(sensors.channels().empty());
    EXPECT_FALSE(sensors.measures_energy());
    const Json got = read_tree(sensors);
    for (const auto& item : got.items()) EXPECT_TRUE(item.value().is_null()) << item.key();
}

TEST(Sensors, OrinNano) {
    const FakeTree tree;
    tree.orin_nano();
    Sensors sensors;
    const Json got = read_tree(sensors);
    EXPECT_NEAR(got.at("power_W").at("VDD_IN").get<double>(), 5.0, 1e-12);
    EXPECT_NEAR(got.at("power_W").at("VDD_SOC").get<double>(), 1.5, 1e-12);
    EXPECT_EQ(got.at("power_W").size(), 3u);
    EXPECT_EQ(got.at("temp_C").at("tj-thermal"), 48.0);
    EXPECT_TRUE(got.at("temp_C").at("cv0-thermal").is_null());
    EXPECT_NEAR(got.at("clock_MHz").at("cpu0-3").get<double>(), 1510.4, 1e-9);
    EXPECT_NEAR(got.at("clock_MHz").at("gpu").get<double>(), 624.75, 1e-9);
    EXPECT_NEAR(got.at("load").at("gpu").get<double>(), 0.53, 1e-12);
    EXPECT_EQ(got.at("throttled").at("overcurrent oc1"), false);
    EXPECT_EQ(sensors.facts().at("power_mode"), "15W");
    EXPECT_EQ(sensors.facts().at("governor"), "schedutil");
    EXPECT_TRUE(sensors.measures_energy());
    for (const Channel& channel : sensors.channels())
        EXPECT_EQ(channel.covers == Covers::whole, channel.name == "VDD_IN") << channel.name;
    tree.write("sys/class/hwmon/hwmon3/oc1_event_cnt", "5\n");
    EXPECT_EQ(read_tree(sensors, 2).at("throttled").at("overcurrent oc1"), true);
    EXPECT_EQ(read_tree(sensors, 3).at("throttled").at("overcurrent oc1"), false);
}

TEST(Sensors, InaByTheHwmonClassAlone) {
    const FakeTree tree;
    tree.write("sys/class/hwmon/hwmon2/name", "ina3221\n");
    tree.rail("sys/class/hwmon/hwmon2", 1, "VDD_IN", 19000, 500);
    tree.write("sys/class/hwmon/hwmon4/name", "nvme\n");
    tree.rail("sys/class/hwmon/hwmon4", 1, "other", 5000, 500);
    const Json got = read_tree();
    EXPECT_NEAR(got.at("power_W").at("VDD_IN").get<double>(), 9.5, 1e-12);
    EXPECT_EQ(got.at("power_W").size(), 1u);
}

TEST(Sensors, JetsonNano) {
    const FakeTree tree;
    tree.jetson_nano();
    Sensors sensors;
    const Json got = read_tree(sensors);
    EXPECT_NEAR(got.at("power_W").at("POM_5V_IN").get<double>(), 4.538, 1e-12);
    EXPECT_FALSE(got.at("temp_C").contains("PMIC-Die"));
    EXPECT_NEAR(got.at("load").at("gpu").get<double>(), 0.29, 1e-12);
    EXPECT_NEAR(got.at("clock_MHz").at("gpu").get<double>(), 921.6, 1e-9);
    EXPECT_TRUE(sensors.facts().find("power_mode") == sensors.facts().end());  // no nvpmodel in this tree
}

TEST(Sensors, Pi5) {
    const FakeTree tree;
    tree.pi_5();
    Sensors sensors;
    Json got = read_tree(sensors);
    EXPECT_TRUE(got.at("power_W").is_null());
    EXPECT_NEAR(got.at("temp_C").at("cpu-thermal").get<double>(), 61.45, 1e-12);
    EXPECT_EQ(got.at("throttled").at("under-voltage"), false);  // once since the start, not now
    tree.write("sys/devices/platform/soc/soc:firmware/get_throttled", "0x50005\n");
    got = read_tree(sensors, 2);
    EXPECT_EQ(got.at("throttled").at("under-voltage"), true);
    EXPECT_EQ(got.at("throttled").at("throttled"), true);
    EXPECT_EQ(got.at("throttled").at("clock capped"), false);
    // The clock was capped between two readings: its upper bit is new.
    tree.write("sys/devices/platform/soc/soc:firmware/get_throttled", "70000\n");
    EXPECT_EQ(read_tree(sensors, 3).at("throttled").at("clock capped"), true);
    EXPECT_EQ(read_tree(sensors, 4).at("throttled").at("clock capped"), false);
    tree.write("sys/devices/platform/soc/soc:firmware/get_throttled", "what?\n");
    EXPECT_TRUE(read_tree(sensors, 5).at("throttled").at("throttled").is_null());
}

TEST(Sensors, PiByVcgencmd) {
    const FakeTree tree;
    tree.pi_5();
    tree.remove("sys/devices/platform");
    tree.program("usr/bin/vcgencmd", "[ \"$1\" = get_throttled ] && echo throttled=0x8\n");
    EXPECT_EQ(read_tree().at("throttled").at("soft temperature limit"), true);
}

TEST(Sensors, OrangePi5) {
    const FakeTree tree;
    tree.orange_pi_5();
    Sensors sensors;
    Json got = read_tree(sensors);
    EXPECT_EQ(got.at("temp_C").size(), 4u);
    EXPECT_EQ(got.at("clock_MHz").at("cpu6-7"), 2400.0);
    EXPECT_EQ(got.at("clock_MHz").at("dmc"), 2112.0);
    EXPECT_NEAR(got.at("load").at("gpu").get<double>(), 0.12, 1e-12);
    EXPECT_EQ(got.at("throttled"), (Json{{"cooling thermal-cpufreq-0", false}}));
    tree.write("sys/class/thermal/cooling_device0/cur_state", "2\n");
    EXPECT_EQ(read_tree(sensors, 2).at("throttled").at("cooling thermal-cpufreq-0"), true);
}

TEST(Sensors, N100) {
    const FakeTree tree;
    tree.n100();
    Sensors sensors;
    Json got = read_tree(sensors);
    EXPECT_EQ(got.at("energy_J"), (Json{{"package-0", 0.0}, {"core-0", 0.0}}));
    EXPECT_EQ(got.at("throttled").at("heat of package-0"), false);
    tree.write("sys/class/powercap/intel-rapl:0/energy_uj", "1006500000\n");
    tree.write("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "8\n");
    got = read_tree(sensors, 2);
    EXPECT_NEAR(got.at("energy_J").at("package-0").get<double>(), 6.5, 1e-9);
    EXPECT_EQ(got.at("throttled").at("heat of package-0"), true);
}

TEST(Sensors, RaplWrapsAndIsReset) {
    const FakeTree tree;
    tree.n100();
    const std::string counter = "sys/class/powercap/intel-rapl:0/energy_uj";
    tree.write(counter, "262143000000\n");
    Sensors sensors;
    const auto joules = [&](const std::string& count, double now) {
        tree.write(counter, count + "\n");
        return read_tree(sensors, now).at("energy_J").at("package-0");
    };
    EXPECT_EQ(joules("262143000000", 1), 0.0);
    EXPECT_NEAR(joules("671150", 2).get<double>(), 1.0, 1e-9);  // 328850 up to the range, and 671150
    EXPECT_NEAR(joules("2671150", 3).get<double>(), 3.0, 1e-9);
    EXPECT_TRUE(joules("5", 4).is_null());  // 262 kJ in a second: it was set back
    EXPECT_NEAR(joules("1000005", 5).get<double>(), 4.0, 1e-9);
    EXPECT_TRUE(joules("-7", 6).is_null());
    EXPECT_TRUE(joules("99999999999999999999999", 7).is_null());
    EXPECT_NEAR(joules("2000005", 8).get<double>(), 5.0, 1e-9);
    tree.remove("sys/class/powercap/intel-rapl:0/max_energy_range_uj");
    Sensors without_range;
    read_tree(without_range, 9);
    tree.write(counter, "1\n");
    EXPECT_TRUE(read_tree(without_range, 10).at("energy_J").at("package-0").is_null());
}

TEST(Sensors, WhatCannotBeReadIsTold) {
    const FakeTree tree;
    tree.n100();
    tree.remove("sys/class/powercap/intel-rapl:0/energy_uj");
    std::filesystem::create_directory(tree.path("sys/class/powercap/intel-rapl:0/energy_uj"));
    Sensors sensors;
    ASSERT_EQ(sensors.notes().size(), 1u);
    EXPECT_NE(sensors.notes()[0].find("intel-rapl:0/energy_uj (package-0): "), std::string::npos);
}

TEST(Sensors, GarbageAndPipesAreNoReadings) {
    const FakeTree tree;
    tree.orin_nano();
    Sensors sensors;
    ASSERT_FALSE(read_tree(sensors).at("temp_C").at("tj-thermal").is_null());
    const std::string rail = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input";
    const std::string zone = "sys/class/thermal/thermal_zone8/temp";
    double now = 2;
    for (const std::string& text :
         {std::string(), std::string("\n"), std::string("12 W\n"), std::string("-\n"), std::string("nan\n"),
          std::string("99999999999999999999\n"), std::string(100'000, '9'), std::string("\0\0\0\0", 4),
          std::string("\xff\xfe\n")}) {
        tree.write(rail, text);
        tree.write(zone, text);
        const Json got = read_tree(sensors, now++);
        EXPECT_TRUE(got.at("power_W").at("VDD_IN").is_null()) << text.substr(0, 20);
        EXPECT_TRUE(got.at("temp_C").at("tj-thermal").is_null()) << text.substr(0, 20);
        EXPECT_FALSE(got.at("power_W").at("VDD_SOC").is_null());
    }
    // Gone, then a pipe that nobody writes to, then back.
    tree.remove(zone);
    EXPECT_TRUE(read_tree(sensors, now++).at("temp_C").at("tj-thermal").is_null());
    ASSERT_EQ(::mkfifo(tree.path(zone).c_str(), 0600), 0);
    EXPECT_TRUE(read_tree(sensors, now++).at("temp_C").at("tj-thermal").is_null());
    Sensors beside_a_pipe;
    EXPECT_TRUE(read_tree(beside_a_pipe, now++).at("temp_C").at("tj-thermal").is_null());
    tree.remove(zone);
    tree.write(zone, "90000\n");
    EXPECT_EQ(read_tree(sensors, now++).at("temp_C").at("tj-thermal"), 90.0);
}

TEST(Sensors, AWholeTreeOfGarbageIsNoReading) {
    for (const std::string& text : {std::string(), std::string("x"), std::string(70'000, '\x80')}) {
        const FakeTree tree;
        tree.orin_nano();
        tree.pi_5();
        tree.n100();
        tree.orange_pi_5();
        for (const auto& entry : std::filesystem::recursive_directory_iterator(tree.path("")))
            if (entry.is_regular_file() && entry.path().filename() != "nvpmodel")
                std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << text;
        for (const auto& group : read_tree())
            for (const auto& item : group.items()) EXPECT_TRUE(item.value().is_null()) << item.key();
    }
}

TEST(Sensors, MemoryAndLoad) {
    const FakeTree tree;
    tree.memory();
    tree.write("proc/self/cgroup", "0::/box/run\n");
    tree.write("sys/fs/cgroup/box/memory.peak", "123456\n");
    Sensors sensors;
    Json got = read_tree(sensors);
    EXPECT_EQ(got.at("memory_bytes").at("rss"), 20000 * 1024);
    EXPECT_EQ(got.at("memory_bytes").at("rss_peak"), 30000 * 1024);
    EXPECT_EQ(got.at("memory_bytes").at("available"), std::int64_t{5000000} * 1024);
    EXPECT_EQ(got.at("memory_bytes").at("cgroup_peak"), 123456);
    EXPECT_EQ(got.at("pressure_percent").at("memory"), 1.5);
    EXPECT_TRUE(got.at("load").at("cpu").is_null());  // a load is told between two readings
    tree.write("proc/stat", "cpu  160 0 65 825 50 0 0 0 0 0\n");
    EXPECT_NEAR(read_tree(sensors, 2).at("load").at("cpu").get<double>(), 0.75, 1e-12);
}

TEST(Programs, EndWithTheirTime) {
    const FakeTree tree;
    EXPECT_EQ(find_program("nvpmodel"), "");
    tree.program("usr/sbin/nvpmodel", "sleep 60\n");
    const std::string path = find_program("nvpmodel");
    ASSERT_NE(path, "");
    EXPECT_FALSE(output_of({path, "-q"}, 0.05));
    tree.program("usr/sbin/nvpmodel", "echo NV Power Mode: MAXN; exit 3\n");
    EXPECT_EQ(output_of({path, "-q"}, 10), "NV Power Mode: MAXN\n");
    tree.write("usr/sbin/nvpmodel", "no program");
    std::filesystem::permissions(tree.path("usr/sbin/nvpmodel"), std::filesystem::perms::owner_all);
    EXPECT_EQ(output_of({path, "-q"}, 10).value_or(""), "");
    Sensors sensors;
    EXPECT_TRUE(sensors.facts().find("power_mode") == sensors.facts().end());
}

TEST(Sensors, TegrastatsWhereNoRailCanBeRead) {
    const FakeTree tree;
    tree.program("usr/bin/tegrastats",
                 "while :; do echo 'RAM 1/2MB VDD_IN 4702mW/4702mW tj@47.5C'; sleep 0.02; done\n");
    {
        Sensors sensors;
        EXPECT_TRUE(sensors.measures_energy());
        const Json got = read_tree(sensors);
        EXPECT_NEAR(got.at("power_W").at("VDD_IN").get<double>(), 4.702, 1e-12);
        EXPECT_EQ(got.at("temp_C").at("tj"), 47.5);
    }
    tree.orin_nano();
    EXPECT_NEAR(read_tree().at("power_W").at("VDD_IN").get<double>(), 5.0, 1e-12);
    // One that says nothing is waited for a second, not longer.
    tree.remove("sys");
    tree.program("usr/bin/tegrastats", "sleep 60\n");
    EXPECT_TRUE(read_tree().at("power_W").is_null());
}

}  // namespace
}  // namespace tinyllm::monitor
