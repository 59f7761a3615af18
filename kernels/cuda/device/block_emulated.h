// Blocks, threads and shared memory as loops and arrays on the CPU. Shared memory is watched: what one thread
// wrote and another touches without a sync() between them, or what nobody wrote, ends the kernel with an
// exception, so the tests on the emulation also look for races and for uninitialised reads.
#pragma once

#include <deque>
#include <functional>
#include <stdexcept>
#include <vector>

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// Counts what orders the threads of all blocks that this thread of the host has run: a block's beginning and
/// its syncs.
inline uint32_t& emulation_clock() {
    static thread_local uint32_t clock = 0;
    return clock;
}

class Block {
  public:
    int x, y, z, grid_x;

    Block(int block_x, int block_y, int block_z, int blocks_x, int threads, int64_t shared_bytes)
        : x(block_x), y(block_y), z(block_z), grid_x(blocks_x), threads_(threads), left_(shared_bytes) {
        begin_ = sync_ = ++emulation_clock();
    }

    /// Every other block runs its threads backwards: an order that only this loop has is no order.
    template <typename Body>
    void each(const Body& body) {
        for (int i = 0; i < threads_; ++i) body(x % 2 == 0 ? i : threads_ - 1 - i);
    }
    void sync() { sync_ = ++emulation_clock(); }
    void sync_warps() { ++emulation_clock(); }

    template <typename Value, typename Op>
    void warp_reduce(const Value& value, const Op& op, int width = kWarp) {
        using T = std::decay_t<decltype(value(0))>;
        for (int first = 0; first < threads_; first += kWarp) {
            for (int step = width / 2; step > 0; step /= 2) {
                T before[kWarp];
                for (int i = 0; i < kWarp; ++i) before[i] = value(first + i);
                for (int i = 0; i < kWarp; ++i) value(first + i) = op(before[i], before[i ^ step]);
            }
        }
    }

    template <typename Memory, typename Index, typename To>
    void load_matrices(Memory& from, const Index& index, int offset, const To& to) {
        for (int first = 0; first < threads_; first += kWarp) {
            Words4 rows[kWarp];
            uint32_t* targets[kWarp];
            for (int i = 0; i < kWarp; ++i) {
                rows[i] = from.get(first + i, index(first + i) + offset);
                targets[i] = to(first + i);
            }
            TINYLLM_CUDA_SPACE::load_matrices(rows, targets);
        }
    }
    template <bool kBf16, typename A, typename B, typename C>
    void multiply(const A& a, const B& b, const C& c) {
        for (int first = 0; first < threads_; first += kWarp) {
            const FragmentA* as[kWarp];
            const FragmentB* bs[kWarp];
            FragmentC* cs[kWarp];
            for (int i = 0; i < kWarp; ++i)
                as[i] = &a(first + i), bs[i] = &b(first + i), cs[i] = &c(first + i);
            kBf16 ? multiply_bf16(as, bs, cs) : multiply_halves(as, bs, cs);
        }
    }
    void begin_copy(std::function<void()> end) { copies_.push_back(std::move(end)); }
    void commit_copies() {
        groups_.push_back(std::move(copies_));
        copies_.clear();
    }
    template <int kLeft>
    void wait_copies() {
        for (; groups_.size() > kLeft; groups_.pop_front()) {
            for (const auto& end : groups_.front()) end();
        }
    }

    int threads() const { return threads_; }
    uint32_t begin() const { return begin_; }
    uint32_t last_sync() const { return sync_; }
    /// The place of another array of `bytes` among the block's.
    size_t take(int64_t bytes) {
        left_ -= (bytes + 15) / 16 * 16;
        if (left_ < 0) throw std::logic_error("a kernel takes more shared memory than its launch gave");
        return arrays_++;
    }

  private:
    int threads_;
    int64_t left_;
    uint32_t begin_, sync_;
    size_t arrays_ = 0;
    std::vector<std::function<void()>> copies_;  // since the last commit
    std::deque<std::vector<std::function<void()>>> groups_;
};

template <typename T>
class PerThread {
  public:
    explicit PerThread(const Block& block) : values_(static_cast<size_t>(block.threads())) {}
    T& operator[](int t) { return values_[static_cast<size_t>(t)]; }

  private:
    std::vector<T> values_;
};

template <typename T>
class Shared {
  public:
    Shared(Block& block, int count) : block_(block), cells_(room(block, count)), count_(count) {}

    T get(int t, int i) {
        Cell& cell = at(i);
        const auto warp = static_cast<int16_t>(t / kWarp);
        if (cell.written < block_.begin()) {
            throw std::logic_error("shared memory is read before anything was written there");
        }
        if (cell.copying) throw std::logic_error("shared memory is read before its copy was waited for");
        if (cell.writer != t && !ordered(cell.writer / kWarp, cell.written, warp)) {
            throw std::logic_error("shared memory is read without a sync behind its writing");
        }
        const bool again = cell.read >= block_.last_sync();
        cell.reader = again && cell.reader != t ? kSeveral : static_cast<int16_t>(t);
        cell.reader_warp = again && cell.reader_warp != warp ? kSeveral : warp;
        cell.read = emulation_clock();
        return cell.value;
    }
    void set(int t, int i, T value) { begin_write(t, i).value = value; }
    void copy(int t, int i, const void* from, bool inside) {
        static_assert(sizeof(T) == sizeof(Words4), "copies are of 16 bytes");
        const T value = inside ? load4(from) : T{};
        Cell& cell = begin_write(t, i);
        cell.copying = true;
        block_.begin_copy([&cell, value] {
            cell.value = value;
            cell.copying = false;
            cell.written = emulation_clock();
        });
    }
    void get4(int t, int i, T* to) { get_some(t, i, 4, to); }
    void get2(int t, int i, T* to) { get_some(t, i, 2, to); }

  private:
    static constexpr int16_t kSeveral = -1;
    struct Cell {
        T value{};
        int16_t writer = 0, reader = 0, reader_warp = 0;
        bool copying = false;
        uint32_t written = 0, read = 0;  // when; before the block's beginning: not by this block
    };

    Cell& begin_write(int t, int i) {
        Cell& cell = at(i);
        const int warp = t / kWarp;
        if (cell.written < block_.begin()) cell.copying = false;  // an exception ended the block that did it
        if (cell.copying) throw std::logic_error("shared memory is written while a copy to it is under way");
        if (cell.written >= block_.begin() && cell.writer != t &&
            !ordered(cell.writer / kWarp, cell.written, warp)) {
            throw std::logic_error("shared memory is written by two threads without a sync between them");
        }
        if (cell.read >= block_.begin() && cell.reader != t && !ordered(cell.reader_warp, cell.read, warp)) {
            throw std::logic_error("shared memory is written without a sync behind its reading");
        }
        cell.writer = static_cast<int16_t>(t);
        cell.written = emulation_clock();
        return cell;
    }

    /// Cells that outlive blocks, whose marks are then too old to count: clearing them would take most of the
    /// time.
    static Cell* room(Block& block, int count) {
        static thread_local std::vector<std::vector<Cell>> arrays;
        const size_t array = block.take(int64_t{count} * static_cast<int64_t>(sizeof(T)));
        if (arrays.size() <= array) arrays.resize(array + 1);
        if (arrays[array].size() < static_cast<size_t>(count))
            arrays[array].resize(static_cast<size_t>(count));
        return arrays[array].data();
    }
    Cell& at(int i) {
        if (i < 0 || i >= count_) throw std::logic_error("an index outside of an array in shared memory");
        return cells_[i];
    }
    /// Whether what a thread of `warp` did then comes before what another of `own` does now.
    bool ordered(int warp, uint32_t then, int own) const {
        return then < block_.last_sync() || (warp == own && then < emulation_clock());
    }
    void get_some(int t, int i, int n, T* to) {
        if (i % n != 0)
            throw std::logic_error("a vector of shared memory begins at no multiple of its length");
        for (int j = 0; j < n; ++j) to[j] = get(t, i + j);
    }

    Block& block_;
    Cell* cells_;
    int count_;
};

constexpr int64_t kSharedLimit = 48 << 10;  // what every GPU gives without being asked for more

/// Runs a launch, of whose Launch::kernel it is the type.
using EmulatedKernel = void(const Launch&);

template <typename Kernel>
int compiled_capability() {
    return 80;
}

template <typename Kernel>
void run_emulated(const Launch& launch) {
    const Kernel& kernel = *static_cast<const Kernel*>(launch.arguments);
    for (int z = 0; z < launch.blocks_z; ++z) {
        for (int y = 0; y < launch.blocks_y; ++y) {
            for (int x = 0; x < static_cast<int>(launch.blocks_x); ++x) {
                Block block(x, y, z, static_cast<int>(launch.blocks_x), Kernel::kThreads,
                            launch.shared_bytes);
                kernel(block);
            }
        }
    }
}

/// Without a stream it runs at once.
template <typename Kernel>
void launch(void* stream, Grid grid, int64_t shared_bytes, const Kernel& kernel) {
    static_assert(sizeof(Kernel) <= 4096, "arguments of a launch");
    static_assert(alignof(Kernel) <= 8, "as LaunchList keeps them");
    if (shared_bytes > kSharedLimit)
        throw std::logic_error("a launch asks for more shared memory than there is");
    if (grid.x < 1 || grid.y < 1 || grid.y > 65535 || grid.z < 1 || grid.z > 65535) {
        throw std::logic_error("a launch of no blocks, or too many");
    }
    const auto* entry = reinterpret_cast<const void*>(&run_emulated<Kernel>);
    const Launch launch = launch_of(entry, grid, shared_bytes, kernel);
    if (stream) {
        static_cast<Stream*>(stream)->launch(launch);
    } else {
        run_emulated<Kernel>(launch);
    }
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
