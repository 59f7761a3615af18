#include "kernels/machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/cpu/caller_place.h"
#include "kernels/cpu/cores.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"

namespace tinyllm {

SystemInfo cpu_system_info() {
    SystemInfo info;
    info.cpu = cpu::cpu_name();
    for (const cpu::Isa& isa : cpu::isas()) info.isas.push_back({isa.table->name, isa.runs_here, isa.needs});
    info.live_isa = cpu::choose_isa("").name;
    for (const cpu::Cluster& cluster : cpu::clusters())
        info.clusters.push_back({cluster.cpus, cluster.capacity});
    info.placement = place_threads();
    info.quota = cpu::quota_cpus();
    return info;
}

double measured_read_bandwidth(int threads, const std::string& cores) {
    constexpr std::size_t kBytes = std::size_t{128} << 20;
    constexpr std::size_t kChunk = std::size_t{1} << 20;
    constexpr int kPasses = 4;
    const Placement placement = place_threads(cores, threads);
    cpu::ThreadPool pool(placement.threads, placement.cores);
    const cpu::CallerPlace caller(placement.cores);
    const std::shared_ptr<std::byte> memory = cpu::allocate_pages(kBytes);
    const auto n_chunks = static_cast<int>(kBytes / kChunk);
    // Written once, so that every page is its own and not the system's shared page of zeros.
    pool.run(n_chunks, [&](int c, int) {
        std::memset(memory.get() + static_cast<std::size_t>(c) * kChunk, c, kChunk);
    });
    std::vector<std::uint64_t> sums(static_cast<std::size_t>(n_chunks));
    double best = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        pool.run(n_chunks, [&](int c, int) {
            const auto* p =
                reinterpret_cast<const std::uint64_t*>(memory.get() + static_cast<std::size_t>(c) * kChunk);
            std::uint64_t part[8] = {};
            for (std::size_t i = 0; i < kChunk / sizeof *p; i += 8) {
                for (std::size_t j = 0; j < 8; ++j) part[j] ^= p[i + j];
            }
            std::uint64_t sum = 0;
            for (const std::uint64_t value : part) sum ^= value;
            sums[static_cast<std::size_t>(c)] += sum;
        });
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(kBytes) / seconds.count());
    }
    // Used, so that the reads cannot be dropped.
    volatile std::uint64_t sink = 0;
    for (const std::uint64_t sum : sums) sink = sink + sum;
    return best;
}

}  // namespace tinyllm
