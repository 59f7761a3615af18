// Parallel regions of changing size in quick succession, with more threads than cores: every chunk runs once,
// and every region ends.
#include "kernels/cpu/thread_pool.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tinyllm::cpu
