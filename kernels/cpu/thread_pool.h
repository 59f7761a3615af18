// Threads that wait between parallel regions: a short spin, then parked. The calling thread works too.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace tinyllm::cpu {

/// One region at a time (Backend::mutex). Each thread owns a contiguous share of the chunks and, when it is
/// done, takes chunks of the others: a thread that never wakes costs nothing, a slow one its own chunk.
class ThreadPool {
  public:
    /// `cpus`: where the workers may run; empty: anywhere. `one_each`: thread t on cpus[t] alone, of which
    /// there are as many as threads; the calling thread, number 0, is its owner's (CallerPlace).
    ThreadPool(int threads, const std::vector<int>& cpus, bool one_each = false);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return n_threads_; }

    /// Calls f(chunk, thread) for each chunk in [0, n), from several threads; returns when all are done.
    template <typename F>
    void run(int n, const F& f) {
        run_chunks(
            n,
            [](const void* context, int chunk, int thread) {
                (*static_cast<const F*>(context))(chunk, thread);
            },
            &f);
    }

  private:
    using Call = void (*)(const void*, int, int);
    /// Next chunk of one thread's share: generation in the high half, so that a late thread cannot take a
    /// chunk of the next region.
    struct alignas(64) Share {
        std::atomic<std::uint64_t> next{0};
    };

    void run_chunks(int n, Call call, const void* context);
    void work(std::uint32_t generation, int thread);
    void worker(int thread);
    int share_begin(int n, int thread) const {
        return static_cast<int>(std::int64_t{n} * thread / n_threads_);
    }

    int n_threads_;
    int spin_microseconds_;
    std::vector<Share> shares_;
    std::atomic<Call> call_{nullptr};
    std::atomic<const void*> context_{nullptr};
    std::atomic<int> n_chunks_{0};
    alignas(64) std::atomic<std::uint32_t> generation_{0};
    alignas(64) std::atomic<int> done_{0};
    alignas(64) std::atomic<int> parked_{0};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> workers_;
};

}  // namespace tinyllm::cpu
