// Core clusters, quotas and thread counts, read from fake trees that have the figures of real boards.
#include "kernels/cpu/cpu_info.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tinyllm/error.h"

namespace tinyllm::cpu {
namespace {

namespace fs = std::filesystem;

class CpuInfo : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "tinyllm_cpu_XXXXXX").string();
        ASSERT_TRUE(mkdtemp(name.data()));
        root_ = name;
        setenv("TINYLLM_SYSFS_ROOT", root_.c_str(), 1);
        unsetenv("TINYLLM_THREADS");
    }
    void TearDown() override {
        unsetenv("TINYLLM_SYSFS_ROOT");
        unsetenv("TINYLLM_THREADS");
        fs::remove_all(root_);
    }

    void write(const fs::path& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text << '\n';
    }
    /// cpus first..last say `value` in `file`.
    void cores(int first, int last, const std::string& file, int value) {
        for (int cpu = first; cpu <= last; ++cpu)
            write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/" + file, std::to_string(value));
    }
    void online(const std::string& list) { write("sys/devices/system/cpu/online", list); }

    fs::path root_;
};

TEST_F(CpuInfo, Rk3588UsesItsFourBigCores) {
    online("0-7");
    cores(0, 3, "cpu_capacity", 530);
    cores(4, 7, "cpu_capacity", 1024);
    cores(0, 3, "cpufreq/cpuinfo_max_freq", 1800000);
    cores(4, 5, "cpufreq/cpuinfo_max_freq", 2256000);
    cores(6, 7, "cpufreq/cpuinfo_max_freq", 2304000);
    const auto found = clusters();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].cpus, (std::vector<int>{4, 5, 6, 7}));
    EXPECT_EQ(found[1].cpus, (std::vector<int>{0, 1, 2, 3}));
    EXPECT_EQ(choose_threads(0), 4);
}

TEST_F(CpuInfo, FrequencyOrdersCoresWithoutCapacity) {
    online("0-3");
    cores(0, 1, "cpufreq/cpuinfo_max_freq", 1400000);
    cores(2, 3, "cpufreq/cpuinfo_max_freq", 2000000);
    const auto found = clusters();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].cpus, (std::vector<int>{2, 3}));
}

TEST_F(CpuInfo, OneCoreWithoutCapacityMakesFrequencyTheMeasureOfAll) {
    online("0-1");
    cores(0, 0, "cpu_capacity", 1024);
    cores(0, 0, "cpufreq/cpuinfo_max_freq", 1000000);
    cores(1, 1, "cpufreq/cpuinfo_max_freq", 2000000);
    const auto found = clusters();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].cpus, (std::vector<int>{1}));
}

TEST_F(CpuInfo, EqualCoresAreOneCluster) {
    online("0-5");  // Orin Nano; Pi 5 and N100 differ in the count
    cores(0, 5, "cpufreq/cpuinfo_max_freq", 1510400);
    ASSERT_EQ(clusters().size(), 1U);
    EXPECT_EQ(choose_threads(0), 6);
}

TEST_F(CpuInfo, TurboBinsOfOneKindAreOneCluster) {
    online("0-3");
    cores(0, 1, "cpufreq/cpuinfo_max_freq", 4900000);
    cores(2, 3, "cpufreq/cpuinfo_max_freq", 4700000);
    EXPECT_EQ(clusters().size(), 1U);
}

TEST_F(CpuInfo, CoresThatAreOffCountForNothing) {
    online("0-1,4");
    cores(0, 5, "cpufreq/cpuinfo_max_freq", 1510400);
    EXPECT_EQ(clusters().at(0).cpus, (std::vector<int>{0, 1, 4}));
}

TEST_F(CpuInfo, ATreeWithoutFiguresIsOneCluster) {
    online("0-3");
    ASSERT_EQ(clusters().size(), 1U);
    EXPECT_EQ(clusters()[0].cpus.size(), 4U);
}

TEST_F(CpuInfo, QuotaOfTheControlGroup) {
    online("0-7");
    EXPECT_EQ(quota_cpus(), 0);
    write("sys/fs/cgroup/cpu.max", "max 100000");
    EXPECT_EQ(quota_cpus(), 0);
    EXPECT_EQ(choose_threads(0), 8);
    write("sys/fs/cgroup/cpu.max", "250000 100000");
    EXPECT_EQ(quota_cpus(), 3);
    EXPECT_EQ(choose_threads(0), 3);
    write("sys/fs/cgroup/cpu.max", "5000 100000");
    EXPECT_EQ(quota_cpus(), 1);
}

TEST_F(CpuInfo, TheTightestGroupOnTheWayUpHolds) {
    write("proc/self/cgroup", "0::/machine.slice/job.scope");
    write("sys/fs/cgroup/machine.slice/job.scope/cpu.max", "400000 100000");
    EXPECT_EQ(quota_cpus(), 4);
    write("sys/fs/cgroup/machine.slice/cpu.max", "200000 100000");
    EXPECT_EQ(quota_cpus(), 2);
}

TEST_F(CpuInfo, QuotaOfVersionOne) {
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
    write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    EXPECT_EQ(quota_cpus(), 0);
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000");
    EXPECT_EQ(quota_cpus(), 2);
}

TEST_F(CpuInfo, ThreadsAskedForWin) {
    online("0-3");
    EXPECT_EQ(choose_threads(7), 7);
    setenv("TINYLLM_THREADS", "3", 1);
    EXPECT_EQ(choose_threads(0), 3);
    EXPECT_EQ(choose_threads(2), 2);
    for (const char* bad : {"0", "-1", "two", "257", "3x"}) {
        setenv("TINYLLM_THREADS", bad, 1);
        EXPECT_THROW(choose_threads(0), Error) << bad;
    }
    EXPECT_THROW(choose_threads(-1), Error);
    EXPECT_THROW(choose_threads(257), Error);
}

}  // namespace
}  // namespace tinyllm::cpu
