// Parallel regions of changing size in quick succession, with more threads than cores: every chunk runs once,
// and every region ends.
#include "kernels/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>

namespace tinyllm::cpu {
namespace {

TEST(ThreadPool, EveryChunkRunsOnceWhateverTheSizeOfTheRegionBefore) {
    ThreadPool pool(4, {});
    std::vector<std::atomic<int>> hits(512);
    for (int region = 0; region < 20000; ++region) {
        const int n = region % 2 ? 2 : 2 + region * 37 % 500;
        for (auto& hit : hits) hit = 0;
        pool.run(n, [&](int chunk, int) { ++hits[static_cast<std::size_t>(chunk)]; });
        for (int i = 0; i < 512; ++i) ASSERT_EQ(hits[static_cast<std::size_t>(i)], i < n ? 1 : 0) << region;
    }
}

TEST(ThreadPool, ManyMoreThreadsThanCores) {
    ThreadPool pool(24, {0}, false);
    std::vector<std::atomic<int>> hits(301);
    for (int region = 0; region < 300; ++region) {
        const int n = region * 7 % 302;
        pool.run(n, [&](int chunk, int thread) {
            EXPECT_TRUE(thread >= 0 && thread < 24);
            ++hits[static_cast<std::size_t>(chunk)];
        });
        for (std::size_t i = 0; i < hits.size(); ++i)
            ASSERT_EQ(hits[i].exchange(0), static_cast<int>(i) < n ? 1 : 0) << region;
    }
}

TEST(ThreadPool, EachWorkerStaysOnItsCores) {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (!CPU_ISSET(0, &allowed) || !CPU_ISSET(1, &allowed)) GTEST_SKIP() << "cores 0 and 1 are needed";
    for (const bool one_each : {false, true}) {
        ThreadPool pool(2, {0, 1}, one_each);
        std::atomic<int> count = 0;
        // Two chunks that wait for each other: both threads have one.
        pool.run(2, [&](int, int thread) {
            ++count;
            while (count < 2) std::this_thread::yield();
            if (thread == 0) return;
            cpu_set_t set;
            ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof set, &set), 0);
            EXPECT_EQ(CPU_COUNT(&set), one_each ? 1 : 2);
            EXPECT_TRUE(CPU_ISSET(1, &set));
        });
    }
}

TEST(ThreadPool, WorkersWakeAfterTheyParked) {
    ThreadPool pool(3, {});
    for (int region = 0; region < 5; ++region) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than workers spin
        std::atomic<int> sum = 0;
        pool.run(100, [&](int chunk, int thread) {
            EXPECT_TRUE(thread >= 0 && thread < 3);
            sum += chunk;
        });
        EXPECT_EQ(sum, 4950);
    }
}

TEST(ThreadPool, ASlowThreadsShareIsTakenByTheOthers) {
    ThreadPool pool(2, {});
    std::atomic<int> fast = 0;
    // Chunk 0 holds its thread until the other one has run all the rest, which must therefore not wait.
    pool.run(64, [&](int chunk, int) {
        if (chunk != 0) {
            ++fast;
            return;
        }
        while (fast < 63) std::this_thread::yield();
    });
    EXPECT_EQ(fast, 63);
}

TEST(ThreadPool, OneThreadRunsAllAndEmptyRegionsEnd) {
    ThreadPool pool(1, {});
    std::vector<int> order;
    pool.run(0, [&](int chunk, int) { order.push_back(chunk); });
    pool.run(4, [&](int chunk, int) { order.push_back(chunk); });
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace tinyllm::cpu
