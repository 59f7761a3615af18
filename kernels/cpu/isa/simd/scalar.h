// Portable vectors of four lanes: GCC's and Clang's vector extension at the compiler's base instruction set.
#pragma once

#define TINYLLM_INLINE inline __attribute__((always_inline))

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kLanes = 4;
constexpr int kQ8Offset = 0;
constexpr int kTileSizes[] = {1, 2, 4, 4, 4};
constexpr int kFloatPanels = 2;
constexpr int kIntPanels = 1;
constexpr bool kPairs = false;
constexpr int kPairColumns = 0;
constexpr bool kSignedNibbles = false;
constexpr int32_t kSumStart = 0;
constexpr int kRowPanels = kIntPanels;
constexpr bool kFactorLanes = false;
constexpr int kWidePanels = kIntPanels;
constexpr int kSteps = 1;
constexpr int kWideSteps = kSteps;
constexpr int kIntColumns = 4;

typedef float F __attribute__((vector_size(16)));
typedef int32_t I __attribute__((vector_size(16)));
typedef uint32_t U __attribute__((vector_size(16)));
typedef float FAny __attribute__((vector_size(16), aligned(1)));
typedef int32_t IAny __attribute__((vector_size(16), aligned(1)));

TINYLLM_INLINE F zero() {
    return F{0, 0, 0, 0};
}
TINYLLM_INLINE F set1(float x) {
    return F{x, x, x, x};
}
TINYLLM_INLINE F load(const float* p) {
    return *reinterpret_cast<const FAny*>(p);
}
TINYLLM_INLINE void store(float* p, F x) {
    *reinterpret_cast<FAny*>(p) = x;
}
TINYLLM_INLINE F fma(F a, F b, F c) {
    return a * b + c;
}
TINYLLM_INLINE F add(F a, F b) {
    return a + b;
}
TINYLLM_INLINE F sub(F a, F b) {
    return a - b;
}
TINYLLM_INLINE F mul(F a, F b) {
    return a * b;
}
TINYLLM_INLINE F div(F a, F b) {
    return a / b;
}
/// NaN in x stays.
TINYLLM_INLINE F max(F bound, F x) {
    return bound > x ? bound : x;
}
TINYLLM_INLINE F min(F bound, F x) {
    return bound < x ? bound : x;
}
TINYLLM_INLINE F abs(F x) {
    return F(I(x) & 0x7fffffff);
}
TINYLLM_INLINE F select_negative(F x, F if_negative, F otherwise) {
    return x < 0.0f ? if_negative : otherwise;
}

TINYLLM_INLINE I load_i(const void* p) {
    return *static_cast<const IAny*>(p);
}
TINYLLM_INLINE I set1_i(int32_t x) {
    return I{x, x, x, x};
}
TINYLLM_INLINE I and_i(I a, I b) {
    return a & b;
}
TINYLLM_INLINE I xor_i(I a, I b) {
    return a ^ b;
}
TINYLLM_INLINE I or_i(I a, I b) {
    return a | b;
}
/// The byte of `table` that each byte of `at`, 0..15, names.
TINYLLM_INLINE I look_up(const uint8_t* table, I at) {
    uint8_t bytes[16];
    __builtin_memcpy(bytes, &at, 16);
    for (uint8_t& byte : bytes) byte = table[byte];
    I out;
    __builtin_memcpy(&out, bytes, 16);
    return out;
}
TINYLLM_INLINE I add_i(I a, I b) {
    return a + b;
}
TINYLLM_INLINE I sub_i(I a, I b) {
    return a - b;
}
template <int n>
TINYLLM_INLINE I shift_left(I x) {
    return I(U(x) << n);
}
template <int n>
TINYLLM_INLINE I shift_right(I x) {  // arithmetic
    return x >> n;
}
TINYLLM_INLINE I high_nibbles(I x) {
    return and_i(shift_right<4>(x), set1_i(0x0f0f0f0f));
}
TINYLLM_INLINE F to_float(I x) {
    return __builtin_convertvector(x, F);
}
TINYLLM_INLINE F bits_to_float(I x) {
    return F(x);
}
TINYLLM_INLINE I float_to_bits(F x) {
    return I(x);
}
/// To nearest, ties to even; |x| < 2^22.
TINYLLM_INLINE I round_to_int(F x) {
    return I(x + 12582912.0f) - 0x4b400000;
}

TINYLLM_INLINE float half_to_float(uint32_t h) {
    const uint32_t sign = (h & 0x8000u) << 16;
    const uint32_t mag = h & 0x7fffu;
    uint32_t bits = (mag << 13) + (112u << 23);
    if (mag >= 0x7c00u) bits = (mag << 13) | 0x7f800000u;
    if (mag < 0x0400u) {
        const float tiny = static_cast<float>(mag) * 0x1p-24f;
        __builtin_memcpy(&bits, &tiny, 4);
    }
    bits |= sign;
    float f;
    __builtin_memcpy(&f, &bits, 4);
    return f;
}

TINYLLM_INLINE uint16_t float_to_half(float f) {
    uint32_t x;
    __builtin_memcpy(&x, &f, 4);
    const uint32_t sign = (x >> 16) & 0x8000u;
    const uint32_t mag = x & 0x7fffffffu;
    uint32_t h;
    if (mag > 0x7f800000u) {
        h = 0x7e00u;
    } else if (mag >= 0x477ff000u) {
        h = 0x7c00u;
    } else if (mag >= 0x38800000u) {
        h = (mag - (112u << 23) + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    } else {
        float shifted;
        __builtin_memcpy(&shifted, &mag, 4);
        shifted += 0.5f;
        __builtin_memcpy(&h, &shifted, 4);
        h -= 0x3f000000u;
    }
    return static_cast<uint16_t>(sign | h);
}

TINYLLM_INLINE F load_f16(const uint16_t* p) {
    return F{half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])};
}
TINYLLM_INLINE void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < kLanes; ++i) p[i] = float_to_half(x[i]);
}
TINYLLM_INLINE F load_bf16(const uint16_t* p) {
    return F(I{p[0] << 16, p[1] << 16, p[2] << 16, p[3] << 16});
}
TINYLLM_INLINE F load_s8(const int8_t* p) {
    return to_float(I{p[0], p[1], p[2], p[3]});
}
TINYLLM_INLINE I load_u8(const uint8_t* p) {
    return I{p[0], p[1], p[2], p[3]};
}
/// The half at p, of any alignment, in every lane.
TINYLLM_INLINE F set1_f16(const uint8_t* p) {
    uint16_t h;
    __builtin_memcpy(&h, p, 2);
    return set1(half_to_float(h));
}
TINYLLM_INLINE void store_s8(int8_t* p, I x) {  // saturates
    for (int i = 0; i < kLanes; ++i) p[i] = static_cast<int8_t>(x[i] < -128 ? -128 : x[i] > 127 ? 127 : x[i]);
}

TINYLLM_INLINE float sum_lanes(F x) {
    return (x[0] + x[2]) + (x[1] + x[3]);
}
TINYLLM_INLINE int32_t sum_lanes_i(I x) {
    return x[0] + x[1] + x[2] + x[3];
}
TINYLLM_INLINE float max_lanes(F x) {
    float m = x[0];
    for (int i = 1; i < kLanes; ++i) m = m > x[i] ? m : x[i];
    return m;
}
/// Lane i becomes the sum of the lanes of v[i].
TINYLLM_INLINE F sum_rows(const F* v) {
    return F{sum_lanes(v[0]), sum_lanes(v[1]), sum_lanes(v[2]), sum_lanes(v[3])};
}

/// Activations of kSteps steps, and those of step s among them.
TINYLLM_INLINE const int8_t* load_steps(const int8_t* x) {
    return x;
}
TINYLLM_INLINE const int8_t* step_of(const int8_t* x, int) {
    return x;
}

/// Products of four consecutive bytes of each row with four bytes of x.
struct Dot {
    typedef I Acc;
    template <bool>
    static TINYLLM_INLINE Acc start(const int32_t*) {
        return I{0, 0, 0, 0};
    }
    static TINYLLM_INLINE void step(Acc& acc, I w, const int8_t* x) {
        acc += (w << 24 >> 24) * x[0] + (w << 16 >> 24) * x[1] + (w << 8 >> 24) * x[2] + (w >> 24) * x[3];
    }
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        const I sum = acc;
        return offset ? add_i(sum, set1_i(*add)) : sum;
    }
};
typedef Dot DotQ8;
typedef Dot DotQ4;
typedef Dot DotQ6;

}  // namespace tinyllm::cpu::TINYLLM_ISA
