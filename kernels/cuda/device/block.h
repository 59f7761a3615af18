// How a kernel is written so that a GPU runs it and the host's compiler emulates it: a struct of plain
// arguments whose operator()(Block&) alternates
//   block.each([&](int t) {...})   what every thread t of the block does, without waiting for another,
//   block.warp_reduce(...), load_matrices(...) and their like, which a warp does together, and block.sync().
// What lies outside each() is the same for all threads of the block. A thread's own variables that outlive
// one each() are PerThread, what threads share is Shared. On a GPU each() is its body and PerThread a
// register.
#pragma once

#include "kernels/cuda/device/mma.h"
#include "kernels/cuda/stream.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

constexpr int kWarp = 32;

struct Sum {
    template <typename T>
    TINYLLM_DEVICE T operator()(T a, T b) const {
        return a + b;
    }
};
struct Largest {
    template <typename T>
    TINYLLM_DEVICE T operator()(T a, T b) const {
        return a < b ? b : a;
    }
};
struct Smallest {
    template <typename T>
    TINYLLM_DEVICE T operator()(T a, T b) const {
        return b < a ? b : a;
    }
};

struct Grid {
    int64_t x;
    int y, z;
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm

#if defined(TINYLLM_CUDA_EMULATED)
#include "kernels/cuda/device/block_emulated.h"
#else

extern __shared__ __align__(16) unsigned char tinyllm_shared_memory[];

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

class Block {
  public:
    int x, y, z, grid_x;

    TINYLLM_DEVICE Block()
        : x(static_cast<int>(blockIdx.x)),
          y(static_cast<int>(blockIdx.y)),
          z(static_cast<int>(blockIdx.z)),
          grid_x(static_cast<int>(gridDim.x)),
          taken_(0) {}

    template <typename Body>
    TINYLLM_DEVICE void each(const Body& body) {
        body(static_cast<int>(threadIdx.x));
    }
    /// What any thread of the block wrote before is seen by all behind it.
    TINYLLM_DEVICE void sync() { __syncthreads(); }
    /// Likewise within each warp.
    TINYLLM_DEVICE void sync_warps() { __syncwarp(); }
    /// value(t) becomes op over the values of the `width` neighbours in t's warp, in the same order for all.
    template <typename Value, typename Op>
    TINYLLM_DEVICE void warp_reduce(const Value& value, const Op& op, int width = kWarp) {
        auto& own = value(static_cast<int>(threadIdx.x));
        TINYLLM_UNROLL
        for (int step = width / 2; step > 0; step /= 2)
            own = op(own, __shfl_xor_sync(0xffffffffu, own, step));
    }

    /// Every warp: to(t) gets t's words of four 8 x 8 matrices of 16 bits (mma.h), whose rows are elements of
    /// `from`, of Words4: that of lane l is index(t) + offset.
    template <typename Memory, typename Index, typename To>
    TINYLLM_DEVICE void load_matrices(const Memory& from, const Index& index, int offset, const To& to) {
        const int t = static_cast<int>(threadIdx.x);
        const auto bytes = static_cast<uint32_t>(offset) * static_cast<uint32_t>(sizeof(Words4));
        TINYLLM_CUDA_SPACE::load_matrices(from.address(index(t)) + bytes, to(t));
    }
    /// Every warp: c(t) += a(t) b(t) (mma.h).
    template <bool kBf16, typename A, typename B, typename C>
    TINYLLM_DEVICE void multiply(const A& a, const B& b, const C& c) {
        const int t = static_cast<int>(threadIdx.x);
        if (kBf16) {
            multiply_bf16(a(t), b(t), c(t));
        } else {
            multiply_halves(a(t), b(t), c(t));
        }
    }
    /// What each thread copied by Shared::copy since the last commit is a group; wait for all but the last
    /// kLeft.
    TINYLLM_DEVICE void commit_copies() { TINYLLM_CUDA_SPACE::commit_copies(); }
    template <int kLeft>
    TINYLLM_DEVICE void wait_copies() {
        TINYLLM_CUDA_SPACE::wait_copies<kLeft>();
    }

    template <typename T>
    TINYLLM_DEVICE T* take(int count) {
        T* at = reinterpret_cast<T*>(tinyllm_shared_memory + taken_);
        taken_ += (count * static_cast<int>(sizeof(T)) + 15) / 16 * 16;
        return at;
    }

  private:
    int taken_;
};

template <typename T>
class PerThread {
  public:
    TINYLLM_DEVICE explicit PerThread(const Block&) {}
    TINYLLM_DEVICE T& operator[](int) { return value_; }

  private:
    T value_;
};

/// `count` elements in the block's shared memory.
template <typename T>
class Shared {
  public:
    TINYLLM_DEVICE Shared(Block& block, int count) : at_(block.take<T>(count)) {}
    TINYLLM_DEVICE T get(int /*t*/, int i) const { return at_[i]; }
    TINYLLM_DEVICE void set(int /*t*/, int i, T value) { at_[i] = value; }
    /// Elements [i, i + 4) or [i, i + 2) of four bytes; i a multiple of 4 or 2.
    TINYLLM_DEVICE void get4(int /*t*/, int i, T* to) const {
        const uint4 v = *reinterpret_cast<const uint4*>(at_ + i);
        to[0] = from_word(v.x, T()), to[1] = from_word(v.y, T()), to[2] = from_word(v.z, T()),
        to[3] = from_word(v.w, T());
    }
    TINYLLM_DEVICE void get2(int /*t*/, int i, T* to) const {
        const uint2 v = *reinterpret_cast<const uint2*>(at_ + i);
        to[0] = from_word(v.x, T()), to[1] = from_word(v.y, T());
    }

    /// 16 bytes to element i, of Words4, while the thread goes on; zeros where not `inside`. In place behind
    /// commit_copies(), wait_copies() and, for others, sync().
    TINYLLM_DEVICE void copy(int /*t*/, int i, const void* from, bool inside) {
        copy_16(address(i), from, inside);
    }
    TINYLLM_DEVICE uint32_t address(int i) const {
        return shared_address(at_) + static_cast<uint32_t>(i) * static_cast<uint32_t>(sizeof(T));
    }

  private:
    static TINYLLM_DEVICE float from_word(uint32_t word, float) { return __uint_as_float(word); }
    static TINYLLM_DEVICE uint32_t from_word(uint32_t word, uint32_t) { return word; }
    T* at_;
};

template <typename Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) run_kernel(const Kernel kernel) {
    Block block;
    kernel(block);
}

/// Hands it to the Stream; the driver reports what goes wrong at the next wait.
template <typename Kernel>
void launch(void* stream, Grid grid, int64_t shared_bytes, const Kernel& kernel) {
    const auto* entry = reinterpret_cast<const void*>(&run_kernel<Kernel>);
    static_cast<Stream*>(stream)->launch(launch_of(entry, grid, shared_bytes, kernel));
}

/// The compute capability, times ten, of the PTX that the kernel's code on the current device was made of,
/// which may be older than the device's; 0 where it has none.
template <typename Kernel>
int compiled_capability() {
    cudaFuncAttributes attributes;
    if (cudaFuncGetAttributes(&attributes, run_kernel<Kernel>) == cudaSuccess) return attributes.ptxVersion;
    (void)cudaGetLastError();
    return 0;
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm

#endif
