// Core clusters, quotas and where threads go, read from fake trees that have the figures of real boards.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "kernels/cpu/caller_place.h"
#include "kernels/cpu/core_list.h"
#include "kernels/cpu/cores.h"
#include "tinyllm/error.h"
#include "tinyllm/system.h"

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
        unsetenv("TINYLLM_CORES");
    }
    void TearDown() override {
        unsetenv("TINYLLM_SYSFS_ROOT");
        unsetenv("TINYLLM_THREADS");
        unsetenv("TINYLLM_CORES");
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
    void mask(const std::string& list) {
        write("proc/self/status", "Name:\ttinyllm\nCpus_allowed_list:\t" + list);
    }
    void rk3588() {
        online("0-7");
        cores(0, 3, "cpu_capacity", 530);
        cores(4, 7, "cpu_capacity", 1024);
        cores(0, 3, "cpufreq/cpuinfo_max_freq", 1800000);
        cores(4, 5, "cpufreq/cpuinfo_max_freq", 2256000);
        cores(6, 7, "cpufreq/cpuinfo_max_freq", 2304000);
    }
    /// "4-7 x4": the cores and the number of threads.
    static std::string placed(const std::string& cores = {}, int threads = 0) {
        const Placement placement = place_threads(cores, threads);
        return show_cores(placement.cores) + " x" + std::to_string(placement.threads);
    }
    static std::string refused(const std::string& cores, int threads = 0) {
        try {
            place_threads(cores, threads);
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            return error.what();
        }
        return "accepted";
    }

    fs::path root_;
};

TEST_F(CpuInfo, Rk3588UsesItsFourBigCores) {
    rk3588();
    const auto found = clusters();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].cpus, (std::vector<int>{4, 5, 6, 7}));
    EXPECT_EQ(found[1].cpus, (std::vector<int>{0, 1, 2, 3}));
    EXPECT_EQ(placed(), "4-7 x4");
    EXPECT_EQ(placed("big"), "4-7 x4");
    EXPECT_EQ(placed("all"), "0-7 x8");
    EXPECT_EQ(placed("0-1,7"), "0-1,7 x3");
    EXPECT_EQ(place_threads().why, "the fastest of 2 clusters; one thread per core");
}

TEST_F(CpuInfo, MoreThreadsThanBigCoresTakeTheNextCluster) {
    rk3588();
    EXPECT_EQ(placed("", 2), "4-7 x2");
    EXPECT_EQ(placed("", 5), "0-7 x5");
    EXPECT_EQ(placed("", 100), "0-7 x100");
    EXPECT_EQ(placed("big", 6), "4-7 x6");  // as asked for
    EXPECT_EQ(placed("4,5", 6), "4-5 x6");
}

TEST_F(CpuInfo, OnlyAListOfAsManyCoresGivesEachThreadItsOwn) {
    rk3588();
    EXPECT_TRUE(place_threads("4-6").one_each);
    EXPECT_TRUE(place_threads("4-6", 3).one_each);
    EXPECT_FALSE(place_threads("4-6", 2).one_each);
    EXPECT_FALSE(place_threads("4-6", 4).one_each);
    EXPECT_FALSE(place_threads().one_each);
    EXPECT_FALSE(place_threads("all").one_each);
}

TEST_F(CpuInfo, CoresThatCannotBeUsedAreRefusedByName) {
    rk3588();
    online("0-5,7");
    mask("0-5");
    EXPECT_EQ(refused("4-5"), "accepted");
    EXPECT_EQ(refused("3-9"), "cores 3-9: core 6 is offline; there are: 0-5");
    EXPECT_EQ(refused("7"), "cores 7: core 7 lies outside this process's affinity mask; there are: 0-5");
    EXPECT_EQ(refused("0,8"), "cores 0,8: core 8 is not there; there are: 0-5");
    setenv("TINYLLM_CORES", "12", 1);
    EXPECT_EQ(refused(""), "TINYLLM_CORES 12: core 12 is not there; there are: 0-5");
    EXPECT_EQ(placed("4"), "4 x1");  // what the caller says wins
    setenv("TINYLLM_CORES", "all", 1);
    EXPECT_EQ(placed(), "0-5 x6");
}

TEST_F(CpuInfo, TheAffinityMaskLeavesWhatItLeaves) {
    rk3588();
    mask("1-2,5");
    EXPECT_EQ(placed(), "5 x1");
    EXPECT_EQ(placed("all"), "1-2,5 x3");
    mask("0-2");
    EXPECT_EQ(placed(), "0-2 x3");
    EXPECT_EQ(placed("", 9), "0-2 x9");
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

TEST_F(CpuInfo, Pi5HasFourEqualCores) {
    online("0-3");
    cores(0, 3, "cpu_capacity", 1024);
    cores(0, 3, "cpufreq/cpuinfo_max_freq", 2400000);
    ASSERT_EQ(clusters().size(), 1U);
    EXPECT_EQ(placed(), "0-3 x4");
    EXPECT_EQ(place_threads().why, "all usable cores, which are of one speed; one thread per core");
}

TEST_F(CpuInfo, OrinNanosTwoClustersOfOneSpeedAreOne) {
    online("0-5");
    cores(0, 5, "cpu_capacity", 1024);
    cores(0, 5, "cpufreq/cpuinfo_max_freq", 1510400);
    cores(0, 3, "topology/cluster_id", 0);
    cores(4, 5, "topology/cluster_id", 1);
    ASSERT_EQ(clusters().size(), 1U);
    EXPECT_EQ(placed(), "0-5 x6");
}

TEST_F(CpuInfo, N100HasFourEqualCoresAndNoCapacity) {
    online("0-3");
    cores(0, 3, "cpufreq/cpuinfo_max_freq", 3400000);
    EXPECT_EQ(placed(), "0-3 x4");
}

TEST_F(CpuInfo, HybridX86UsesItsPerformanceCores) {
    // Hyperthreads 0-15 of eight cores, two of them favoured, and eight efficiency cores behind them. Newer
    // kernels show a capacity there too, but the same for all.
    online("0-23");
    cores(0, 15, "cpufreq/cpuinfo_max_freq", 5000000);
    cores(8, 11, "cpufreq/cpuinfo_max_freq", 5200000);
    cores(16, 23, "cpufreq/cpuinfo_max_freq", 3800000);
    EXPECT_EQ(placed(), "0-15 x16");
    cores(0, 23, "cpu_capacity", 1024);
    EXPECT_EQ(placed(), "0-15 x16");
    EXPECT_EQ(placed("16-23"), "16-23 x8");
    mask("14-17");
    EXPECT_EQ(placed(), "14-15 x2");
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
    EXPECT_EQ(placed(), "0-7 x8");
    write("sys/fs/cgroup/cpu.max", "250000 100000");
    EXPECT_EQ(quota_cpus(), 2.5);
    EXPECT_EQ(placed(), "0-7 x3");
    EXPECT_EQ(placed("all"), "0-7 x3");
    EXPECT_EQ(placed("0-3"), "0-3 x4");  // whoever lists them means them
    EXPECT_EQ(placed("", 5), "0-7 x5");
    EXPECT_EQ(place_threads().why,
              "all usable cores, which are of one speed; threads by the quota of 2.5 CPUs");
    write("sys/fs/cgroup/cpu.max", "5000 100000");
    EXPECT_EQ(quota_cpus(), 0.05);
    EXPECT_EQ(placed(), "0-7 x1");
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
    EXPECT_EQ(quota_cpus(), 1.5);
    // A group below the mount, as systemd makes them; the mount under its long name.
    write("proc/self/cgroup", "9:memory:/other\n4:cpu,cpuacct:/system.slice/job.service\n0::/unified");
    write("sys/fs/cgroup/cpu,cpuacct/system.slice/job.service/cpu.cfs_quota_us", "50000");
    write("sys/fs/cgroup/cpu,cpuacct/system.slice/job.service/cpu.cfs_period_us", "100000");
    EXPECT_EQ(quota_cpus(), 0.5);
    write("proc/self/cgroup", "2:cpuset:/system.slice/job.service\nnonsense\n3:cpu");
    EXPECT_EQ(quota_cpus(), 1.5);
}

TEST_F(CpuInfo, ThreadsAskedForWin) {
    online("0-3");
    EXPECT_EQ(placed("", 7), "0-3 x7");
    setenv("TINYLLM_THREADS", "3", 1);
    EXPECT_EQ(placed(), "0-3 x3");
    EXPECT_EQ(placed("", 2), "0-3 x2");
    EXPECT_EQ(placed("1-2"), "1-2 x3");
    for (const char* bad : {"0", "-1", "two", "257", "3x"}) {
        setenv("TINYLLM_THREADS", bad, 1);
        EXPECT_EQ(refused(""), "TINYLLM_THREADS: expected 1 to 256, found " + std::string(bad));
    }
    EXPECT_EQ(refused("", -1), "threads: expected 0 to 256, found -1");
    EXPECT_EQ(refused("", 257), "threads: expected 0 to 256, found 257");
}

TEST(CoreList, IsReadAsTheKernelWritesIt) {
    EXPECT_EQ(parse_core_list("3"), (std::vector<int>{3}));
    EXPECT_EQ(parse_core_list("0-3,6"), (std::vector<int>{0, 1, 2, 3, 6}));
    EXPECT_EQ(parse_core_list(" 6,0-1,1\n"), (std::vector<int>{0, 1, 6}));
    EXPECT_EQ(parse_core_list("4095"), (std::vector<int>{4095}));
    for (const char* bad : {"",
                            " ",
                            ",",
                            "1,",
                            ",1",
                            "1,,2",
                            "-1",
                            "1-",
                            "3-1",
                            "1--2",
                            "1-2-3",
                            "+1",
                            "1 2",
                            "0x1",
                            "1;2",
                            "one",
                            "4096",
                            "0-4096",
                            "99999999999999999999",
                            "2-\n",
                            "bigger"}) {
        EXPECT_FALSE(parse_core_list(bad)) << "'" << bad << "'";
    }
}

TEST_F(CpuInfo, WhatIsNoListIsRefused) {
    online("0-3");
    for (const char* bad : {"3-1", "1,", "Big", "1-", "0-4096"}) {
        EXPECT_EQ(refused(bad),
                  "cores: expected big, all or a list such as 0-3,6, found '" + std::string(bad) + "'");
    }
}

TEST(CoreList, IsShownAsItIsRead) {
    for (const char* list : {"0", "0-1", "0-3,6", "0,2,4-5"})
        EXPECT_EQ(show_cores(*parse_core_list(list)), list);
    EXPECT_EQ(show_cores({}), "");
}

/// The cores that the calling thread may run on.
std::vector<int> own_cores() {
    cpu_set_t set;
    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
    return cores;
}

void confine_to(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

TEST(Affinity, OfTheThreadThatLoadsIsRespected) {
    const std::vector<int> before = own_cores();
    std::thread([&] {
        confine_to(before.back());
        EXPECT_EQ(usable_cpus(), (std::vector<int>{before.back()}));
        EXPECT_EQ(place_threads().cores, (std::vector<int>{before.back()}));
    }).join();
}

TEST(Affinity, OfTheCallerComesBack) {
    const std::vector<int> before = own_cores();
    const int last = before.back();
    {
        const CallerPlace place({last, 4000});
        EXPECT_EQ(own_cores(), (std::vector<int>{last}));
    }
    EXPECT_EQ(own_cores(), before);
    {
        const CallerPlace nowhere({});
        EXPECT_EQ(own_cores(), before);
    }
    if (before.size() < 2) GTEST_SKIP() << "one core: no other to stay on or to move to";
    std::thread([&] {  // its owner keeps it off the model's cores
        confine_to(before.front());
        const CallerPlace place({last});
        EXPECT_EQ(own_cores(), (std::vector<int>{before.front()}));
    })
        .join();
    std::thread([&] {  // somebody moves it while it computes
        {
            const CallerPlace place({last});
            confine_to(before.front());
        }
        EXPECT_EQ(own_cores(), (std::vector<int>{before.front()}));
    })
        .join();
}

}  // namespace
}  // namespace tinyllm::cpu
