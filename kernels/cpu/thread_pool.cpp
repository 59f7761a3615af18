#include "kernels/cpu/thread_pool.h"

#include <sched.h>

#include <chrono>

namespace tinyllm::cpu {
namespace {

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Spins until `ready()` or about `microseconds` have passed; says whether it became ready.
template <typename Ready>
bool spin(int microseconds, const Ready& ready) {
    using Clock = std::chrono::steady_clock;
    for (int i = 0; i < 64; ++i) {
        if (ready()) return true;
        relax();
    }
    const auto end = Clock::now() + std::chrono::microseconds(microseconds);
    do {
        for (int i = 0; i < 16; ++i) {
            if (ready()) return true;
            relax();
        }
    } while (Clock::now() < end);
    return ready();
}

// Long enough to bridge the gap between two ops and most gaps between two tokens; short enough to leave the
// core to others.
constexpr int kSpinMicroseconds = 100;
// Where threads share cores, whoever spins keeps the core from one that has work.
constexpr int kCrowdedSpinMicroseconds = 10;

bool crowded(int threads, const std::vector<int>& cpus) {
    const std::size_t cores = cpus.empty() ? std::thread::hardware_concurrency() : cpus.size();
    return static_cast<std::size_t>(threads) > cores;
}

}  // namespace

ThreadPool::ThreadPool(int threads, const std::vector<int>& cpus, bool one_each)
    : n_threads_(threads),
      spin_microseconds_(crowded(threads, cpus) ? kCrowdedSpinMicroseconds : kSpinMicroseconds),
      shares_(static_cast<std::size_t>(threads)) {
    for (int t = 1; t < threads; ++t) {
        workers_.emplace_back([this, t] { worker(t); });
        if (cpus.empty()) continue;
        const auto own = static_cast<std::size_t>(t);
        cpu_set_t set;
        CPU_ZERO(&set);
        for (std::size_t i = 0; i < cpus.size(); ++i) {
            if (cpus[i] < CPU_SETSIZE && (!one_each || i == own)) CPU_SET(cpus[i], &set);
        }
        // A refusal (a container's rule) leaves the worker where the scheduler puts it, which is correct,
        // only slower.
        pthread_setaffinity_np(workers_.back().native_handle(), sizeof set, &set);
    }
}

ThreadPool::~ThreadPool() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        ++generation_;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_chunks(int n, Call call, const void* context) {
    if (n_threads_ == 1 || n <= 1) {
        for (int chunk = 0; chunk < n; ++chunk) call(context, chunk, 0);
        return;
    }
    const std::uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
    for (int t = 0; t < n_threads_; ++t) {
        const auto begin = static_cast<std::uint32_t>(share_begin(n, t));
        shares_[static_cast<std::size_t>(t)].next.store(std::uint64_t{generation} << 32 | begin,
                                                        std::memory_order_release);
    }
    // Behind the shares: a late worker of the region before that already reads this region's count must find
    // the old shares gone, or it would take chunks of the old one beyond its end.
    done_.store(0, std::memory_order_release);
    call_.store(call, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    n_chunks_.store(n, std::memory_order_release);
    generation_.store(generation, std::memory_order_seq_cst);
    if (parked_.load(std::memory_order_seq_cst) > 0) {
        { const std::lock_guard lock(mutex_); }  // whoever counted itself as parked is now inside wait()
        wake_.notify_all();
    }
    work(generation, 0);
    const auto finished = [&] { return done_.load(std::memory_order_acquire) == n; };
    while (!spin(spin_microseconds_, finished)) sched_yield();  // a worker lost its core within a chunk
}

void ThreadPool::work(std::uint32_t generation, int thread) {
    const int n = n_chunks_.load(std::memory_order_acquire);
    const Call call = call_.load(std::memory_order_acquire);
    const void* context = context_.load(std::memory_order_acquire);
    int finished = 0;
    for (int i = 0; i < n_threads_; ++i) {
        const int owner = (thread + i) % n_threads_;
        std::atomic<std::uint64_t>& next = shares_[static_cast<std::size_t>(owner)].next;
        const int end = share_begin(n, owner + 1);
        std::uint64_t at = next.load(std::memory_order_acquire);
        while (at >> 32 == generation && static_cast<int>(at & 0xffffffffu) < end) {
            if (!next.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel)) continue;
            // The region cannot end before this chunk does, so what was read above belongs to it.
            call(context, static_cast<int>(at & 0xffffffffu), thread);
            ++finished;
            at = next.load(std::memory_order_acquire);
        }
    }
    if (finished) done_.fetch_add(finished, std::memory_order_acq_rel);
}

void ThreadPool::worker(int thread) {
    std::uint32_t seen = 0;
    for (;;) {
        const auto changed = [&] { return generation_.load(std::memory_order_seq_cst) != seen; };
        if (!spin(spin_microseconds_, changed)) {
            std::unique_lock lock(mutex_);
            parked_.fetch_add(1, std::memory_order_seq_cst);
            wake_.wait(lock, changed);
            parked_.fetch_sub(1, std::memory_order_relaxed);
        }
        seen = generation_.load(std::memory_order_acquire);
        if (stop_) return;
        work(seen, thread);
    }
}

}  // namespace tinyllm::cpu
