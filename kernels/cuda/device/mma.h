// Tensor cores and the copies that feed them, one function per instruction of the PTX ISA. On a GPU each is
// called by all lanes of a warp; in the emulation a function gets what all 32 lanes hold. Who holds what is
// the same in both ("Matrix Fragments for mma.m16n8k16" and "ldmatrix" in the PTX ISA): with g = lane / 4 and
// i = lane % 4, a word being elements 2 i and 2 i + 1 of eight,
//   a (16 x 16): words of row g and row g + 8 in the first eight columns, then in the other eight,
//   b (16 x 8):  words of column g in the first eight rows, then in the other eight,
//   c (16 x 8):  elements 2 i and 2 i + 1 of row g, then of row g + 8.
#pragma once

#include "kernels/cuda/device/platform.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

struct FragmentA {
    uint32_t w[4];
};
struct FragmentB {
    uint32_t w[2];
};
struct FragmentC {
    float x[4];
};

#if defined(__CUDACC__)

// Code for older GPUs holds kernels that need these, but the host never launches them there.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 750
constexpr bool kTensorCores = false;
#else
constexpr bool kTensorCores = true;
#endif

/// An address in shared memory as the instructions take it; sums of such addresses and offsets are addresses.
TINYLLM_DEVICE uint32_t shared_address(const void* at) {
    uint64_t wide;
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(wide) : "l"(at));
    return static_cast<uint32_t>(wide);
}

/// Four 8 x 8 matrices of 16 bits; lane l gives the address of row l % 8 of matrix l / 8, and gets word i of
/// row g of each.
TINYLLM_DEVICE void load_matrices(uint32_t row, uint32_t* to) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 750
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(row)
                 : "memory");
#endif
}

/// c += a b, of halves.
TINYLLM_DEVICE void multiply_halves(const FragmentA& a, const FragmentB& b, FragmentC& c) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
        : "r"(a.w[0]), "r"(a.w[1]), "r"(a.w[2]), "r"(a.w[3]), "r"(b.w[0]), "r"(b.w[1]));
#elif __CUDA_ARCH__ >= 750
    for (int half = 0; half < 2; ++half) {
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
            "{%0, %1, %2, %3};"
            : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
            : "r"(a.w[2 * half]), "r"(a.w[2 * half + 1]), "r"(b.w[half]));
    }
#endif
}

/// Likewise, of bf16.
TINYLLM_DEVICE void multiply_bf16(const FragmentA& a, const FragmentB& b, FragmentC& c) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
        : "r"(a.w[0]), "r"(a.w[1]), "r"(a.w[2]), "r"(a.w[3]), "r"(b.w[0]), "r"(b.w[1]));
#endif
}

/// 16 bytes from the device's memory to shared memory, zeros where not `inside`; there behind wait_copies()
/// only.
TINYLLM_DEVICE void copy_16(uint32_t to, const void* from, bool inside) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    const int bytes = inside ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(to), "l"(from), "r"(bytes)
                 : "memory");
#else
    const Words4 v = inside ? load4(from) : Words4{{0, 0, 0, 0}};
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};"
                 :
                 : "r"(to), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3])
                 : "memory");
#endif
}
/// Ends a group of copies, which may be empty.
TINYLLM_DEVICE void commit_copies() {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" : : : "memory");
#endif
}
/// Waits for all groups of this thread but the last kLeft.
template <int kLeft>
TINYLLM_DEVICE void wait_copies() {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" : : "n"(kLeft) : "memory");
#endif
}

#elif defined(TINYLLM_CUDA_EMULATED)

constexpr bool kTensorCores = true;

/// rows[l] is what stands at lane l's address.
inline void load_matrices(const Words4 (&rows)[32], uint32_t* const (&to)[32]) {
    for (int lane = 0; lane < 32; ++lane) {
        for (int matrix = 0; matrix < 4; ++matrix) {
            to[lane][matrix] = rows[8 * matrix + lane / 4].w[lane % 4];
        }
    }
}

/// In which order an instruction adds its sixteen products, and how it rounds on the way, the PTX ISA leaves
/// open; here one after the other. The products themselves are exact in f32.
template <typename Value>
void multiply_fragments(const FragmentA* const (&a)[32], const FragmentB* const (&b)[32],
                        FragmentC* const (&c)[32], const Value& value) {
    float wide_a[16][16], wide_b[16][8], sums[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const int g = lane / 4, i = lane % 4;
        for (int word = 0; word < 4; ++word) {
            for (int e = 0; e < 2; ++e) {
                const auto bits = static_cast<uint16_t>(a[lane]->w[word] >> (16 * e));
                wide_a[g + word % 2 * 8][word / 2 * 8 + 2 * i + e] = value(bits);
                sums[g + word / 2 * 8][2 * i + word % 2] = c[lane]->x[word];
            }
        }
        for (int word = 0; word < 2; ++word) {
            for (int e = 0; e < 2; ++e) {
                const auto bits = static_cast<uint16_t>(b[lane]->w[word] >> (16 * e));
                wide_b[word * 8 + 2 * i + e][g] = value(bits);
            }
        }
    }
    for (int row = 0; row < 16; ++row) {
        for (int k = 0; k < 16; ++k) {
            for (int column = 0; column < 8; ++column) {
                sums[row][column] += wide_a[row][k] * wide_b[k][column];
            }
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        for (int word = 0; word < 4; ++word) {
            c[lane]->x[word] = sums[lane / 4 + word / 2 * 8][lane % 4 * 2 + word % 2];
        }
    }
}
inline void multiply_halves(const FragmentA* const (&a)[32], const FragmentB* const (&b)[32],
                            FragmentC* const (&c)[32]) {
    multiply_fragments(a, b, c, half_to_float);
}
inline void multiply_bf16(const FragmentA* const (&a)[32], const FragmentB* const (&b)[32],
                          FragmentC* const (&c)[32]) {
    multiply_fragments(a, b, c,
                       [](uint16_t bits) { return bits_to_float(static_cast<uint32_t>(bits) << 16); });
}

#endif

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
