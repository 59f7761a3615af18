// What compiles the device code: nvcc for a GPU, or the host's compiler for the emulation
// (TINYLLM_CUDA_EMULATED), in which the threads of a block are loops. All that a GPU or a toolkit may lack
// stands here: the rest of device/ is C++14, as CUDA 10.2 for the Jetson Nano takes it, and calls no
// intrinsic itself.
#pragma once

#include <math.h>
#include <stdint.h>

#if defined(TINYLLM_CUDA_EMULATED)
#include <cstring>
#define TINYLLM_CUDA_SPACE cuda_emulated
#define TINYLLM_DEVICE inline
#define TINYLLM_BOTH inline
#elif defined(__CUDACC__)
#include <cuda_fp16.h>
#define TINYLLM_CUDA_SPACE cuda
#define TINYLLM_DEVICE __device__ __forceinline__
#define TINYLLM_BOTH __host__ __device__ __forceinline__
#else  // host code of the product, which shares layouts and argument structs
#define TINYLLM_CUDA_SPACE cuda
#define TINYLLM_DEVICE inline
#define TINYLLM_BOTH inline
#endif

// Loops over registers: without unrolling they would live in memory.
#if defined(__CUDACC__)
#define TINYLLM_UNROLL _Pragma("unroll")
#define TINYLLM_LOOP _Pragma("unroll 1")  // a body so long that once is enough
#else
#define TINYLLM_UNROLL
#define TINYLLM_LOOP
#endif

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

// Quantized weights are multiplied by bytes or, where there is no dot4, by halves: code for a GPU has the
// one, kernels of the other are empty there, and the host does not launch them.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
constexpr bool kByteKernels = true, kHalfKernels = false;
#elif defined(__CUDA_ARCH__)  // sm_53
constexpr bool kByteKernels = false, kHalfKernels = true;
#else
constexpr bool kByteKernels = true, kHalfKernels = true;
#endif

struct alignas(8) Words2 {
    uint32_t w[2];
};
struct alignas(16) Words4 {
    uint32_t w[4];
};

#if defined(__CUDACC__)

TINYLLM_DEVICE float bits_to_float(uint32_t bits) {
    return __uint_as_float(bits);
}
TINYLLM_DEVICE uint32_t float_to_bits(float x) {
    return __float_as_uint(x);
}
TINYLLM_DEVICE float half_to_float(uint16_t bits) {
    return __half2float(__ushort_as_half(bits));
}
TINYLLM_DEVICE uint16_t float_to_half(float x) {
    return __half_as_ushort(__float2half_rn(x));
}

/// Two halves, the first below the second.
TINYLLM_DEVICE uint32_t float_to_halves(float low, float high) {
    const __half2 both = __floats2half2_rn(low, high);
    return static_cast<uint32_t>(__half_as_ushort(__low2half(both))) |
           static_cast<uint32_t>(__half_as_ushort(__high2half(both))) << 16;
}

/// acc + the four products of signed bytes.
TINYLLM_DEVICE int dot4(uint32_t a, uint32_t b, int acc) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 610
    acc = __dp4a(static_cast<int>(a), static_cast<int>(b), acc);
#endif
    return acc;
}

/// a b + c of both halves of a word, each rounded once.
TINYLLM_DEVICE uint32_t fma_halves(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t d;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

// Weights are read once: through the read-only path, in one instruction each.
TINYLLM_DEVICE Words4 load4(const void* from) {
    const uint4 v = __ldg(static_cast<const uint4*>(from));
    return Words4{{v.x, v.y, v.z, v.w}};
}
TINYLLM_DEVICE Words2 load2(const void* from) {
    const uint2 v = __ldg(static_cast<const uint2*>(from));
    return Words2{{v.x, v.y}};
}
TINYLLM_DEVICE uint32_t load1(const void* from) {
    return __ldg(static_cast<const unsigned int*>(from));
}
TINYLLM_DEVICE uint16_t load_u16(const void* from) {
    return __ldg(static_cast<const unsigned short*>(from));
}
TINYLLM_DEVICE uint8_t load_u8(const void* from) {
    return __ldg(static_cast<const unsigned char*>(from));
}

#elif defined(TINYLLM_CUDA_EMULATED)

inline float bits_to_float(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
inline uint32_t float_to_bits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}
inline float half_to_float(uint16_t h) {
    const uint32_t sign = (h & 0x8000u) << 16, magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) return bits_to_float(sign | magnitude << 13 | 0x7f800000u);
    if (magnitude >= 0x0400u) return bits_to_float(sign | ((magnitude << 13) + (112u << 23)));
    return bits_to_float(sign | float_to_bits(static_cast<float>(magnitude) / 16777216.0f));
}
inline uint16_t float_to_half(float x) {
    const uint32_t bits = float_to_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    uint32_t h = 0;
    if (magnitude > 0x7f800000u) {
        h = 0x7fffu;  // the one NaN that the hardware makes
        return static_cast<uint16_t>(h);
    }
    if (magnitude >= 0x477ff000u) {
        h = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {
        h = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    } else {
        h = float_to_bits(bits_to_float(magnitude) + 0.5f) - float_to_bits(0.5f);
    }
    return static_cast<uint16_t>(sign | h);
}
inline uint32_t float_to_halves(float low, float high) {
    return static_cast<uint32_t>(float_to_half(low)) | static_cast<uint32_t>(float_to_half(high)) << 16;
}
inline int dot4(uint32_t a, uint32_t b, int acc) {
    for (int i = 0; i < 32; i += 8) {
        acc += static_cast<int>(static_cast<int8_t>(a >> i)) * static_cast<int>(static_cast<int8_t>(b >> i));
    }
    return acc;
}

/// The nearest float to x, but where it is not x that neighbour whose last bit is set: what is rounded again
/// to fewer bits is rounded as x itself.
inline float sticky_float(double x) {
    const auto near = static_cast<float>(x);
    const uint32_t bits = float_to_bits(near);
    if (static_cast<double>(near) == x || x != x || (bits & 1u)) return near;
    return bits_to_float(fabs(static_cast<double>(near)) < fabs(x) ? bits + 1 : bits - 1);
}
inline uint32_t fma_halves(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t d = 0;
    for (int shift = 0; shift < 32; shift += 16) {
        const auto part = [&](uint32_t word) {
            return static_cast<double>(half_to_float(static_cast<uint16_t>(word >> shift)));
        };
        d |= uint32_t{float_to_half(sticky_float(part(a) * part(b) + part(c)))} << shift;
    }
    return d;
}

/// A load that a GPU would fault on at a wrong address fails here too.
template <typename T>
T load_aligned(const void* from) {
    if (reinterpret_cast<uintptr_t>(from) % sizeof(T) != 0) __builtin_trap();
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
inline Words4 load4(const void* from) {
    return load_aligned<Words4>(from);
}
inline Words2 load2(const void* from) {
    return load_aligned<Words2>(from);
}
inline uint32_t load1(const void* from) {
    return load_aligned<uint32_t>(from);
}
inline uint16_t load_u16(const void* from) {
    return load_aligned<uint16_t>(from);
}
inline uint8_t load_u8(const void* from) {
    return load_aligned<uint8_t>(from);
}

#endif

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
