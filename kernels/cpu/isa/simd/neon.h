// Four lanes: Armv8.0 NEON; sdot where the compiler is told of it.
#pragma once

#include <arm_neon.h>

#define TINYLLM_INLINE inline __attribute__((always_inline))

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kLanes = 4;
constexpr int kQ8Offset = 0;
constexpr int kTileSizes[] = {1, 2, 4, 8, 8};
constexpr int kFloatPanels = 2;
constexpr int kIntPanels = 2;
constexpr int kSteps = 4;
constexpr int kRowPanels = 4;
constexpr bool kFactorLanes = true;
#ifdef __ARM_FEATURE_DOTPROD
constexpr int kWidePanels = 1;
constexpr int kWideSteps = 8;
constexpr int kIntColumns = 8;
constexpr bool kSignedNibbles = true;
// Integer sums begin as the bits of the float 1.5 * 2^23 (2^-n of that for products 2^n times too large): as
// long as they stay below 2^22 they count in the lowest bits of its fraction, so that a subtraction, of which
// there are two a cycle, makes them floats. A conversion takes four times as long on cores like the Neoverse
// N1.
constexpr int32_t kSumStart = 0x4b400000;
#else
constexpr int kWidePanels = 2;
constexpr int kWideSteps = kSteps;
constexpr int kIntColumns = 2;
constexpr bool kSignedNibbles = false;
constexpr int32_t kSumStart = 0;
#endif

typedef float32x4_t F;
typedef int32x4_t I;

TINYLLM_INLINE F zero() {
    return vdupq_n_f32(0);
}
TINYLLM_INLINE F set1(float x) {
    return vdupq_n_f32(x);
}
TINYLLM_INLINE F load(const float* p) {
    return vld1q_f32(p);
}
TINYLLM_INLINE void store(float* p, F x) {
    vst1q_f32(p, x);
}
TINYLLM_INLINE F fma(F a, F b, F c) {
    return vfmaq_f32(c, a, b);
}
/// a times number `i` of four, plus c: the instruction takes the number from the vector.
TINYLLM_INLINE F fma_lane(F a, F four, int i, F c) {
    switch (i) {
        case 0:
            return vfmaq_laneq_f32(c, a, four, 0);
        case 1:
            return vfmaq_laneq_f32(c, a, four, 1);
        case 2:
            return vfmaq_laneq_f32(c, a, four, 2);
        default:
            return vfmaq_laneq_f32(c, a, four, 3);
    }
}
TINYLLM_INLINE F add(F a, F b) {
    return vaddq_f32(a, b);
}
TINYLLM_INLINE F sub(F a, F b) {
    return vsubq_f32(a, b);
}
TINYLLM_INLINE F mul(F a, F b) {
    return vmulq_f32(a, b);
}
TINYLLM_INLINE F div(F a, F b) {
    return vdivq_f32(a, b);
}
TINYLLM_INLINE F max(F bound, F x) {
    return vmaxq_f32(bound, x);
}  // NaN stays
TINYLLM_INLINE F min(F bound, F x) {
    return vminq_f32(bound, x);
}
TINYLLM_INLINE F abs(F x) {
    return vabsq_f32(x);
}
TINYLLM_INLINE F select_negative(F x, F if_negative, F otherwise) {
    return vbslq_f32(vcltzq_f32(x), if_negative, otherwise);
}

TINYLLM_INLINE I load_i(const void* p) {
    return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p)));
}
TINYLLM_INLINE I set1_i(int32_t x) {
    return vdupq_n_s32(x);
}
TINYLLM_INLINE I and_i(I a, I b) {
    return vandq_s32(a, b);
}
TINYLLM_INLINE I xor_i(I a, I b) {
    return veorq_s32(a, b);
}
TINYLLM_INLINE I or_i(I a, I b) {
    return vorrq_s32(a, b);
}
/// The byte of `table` that each byte of `at`, 0..15, names.
TINYLLM_INLINE I look_up(const uint8_t* table, I at) {
    return vreinterpretq_s32_u8(vqtbl1q_u8(vld1q_u8(table), vreinterpretq_u8_s32(at)));
}
TINYLLM_INLINE I add_i(I a, I b) {
    return vaddq_s32(a, b);
}
TINYLLM_INLINE I sub_i(I a, I b) {
    return vsubq_s32(a, b);
}
template <int n>
TINYLLM_INLINE I shift_left(I x) {
    return vshlq_n_s32(x, n);
}
template <int n>
TINYLLM_INLINE I shift_right(I x) {  // arithmetic; n = 0 has no instruction
    if constexpr (n == 0) {
        return x;
    } else {
        return vshrq_n_s32(x, n);
    }
}
TINYLLM_INLINE I high_nibbles(I x) {
    return vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(x), 4));
}
#ifdef __ARM_FEATURE_DOTPROD
/// Sixteen times the nibbles as signed numbers: one instruction each.
TINYLLM_INLINE I low_nibbles_up(I x) {
    return vreinterpretq_s32_u8(vshlq_n_u8(vreinterpretq_u8_s32(x), 4));
}
TINYLLM_INLINE I high_nibbles_up(I x) {
    return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(x), vdupq_n_u8(0xf0)));
}
#endif
TINYLLM_INLINE F to_float(I x) {
    return vcvtq_f32_s32(x);
}
TINYLLM_INLINE F bits_to_float(I x) {
    return vreinterpretq_f32_s32(x);
}
TINYLLM_INLINE I float_to_bits(F x) {
    return vreinterpretq_s32_f32(x);
}
TINYLLM_INLINE I round_to_int(F x) {
    return vcvtnq_s32_f32(x);
}

TINYLLM_INLINE F load_f16(const uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
TINYLLM_INLINE void store_f16(uint16_t* p, F x) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)));
}
TINYLLM_INLINE F load_bf16(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
TINYLLM_INLINE F load_s8(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    const int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}
TINYLLM_INLINE I load_u8(const uint8_t* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, 4);
    const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
}
/// The half at p, of any alignment, in every lane.
TINYLLM_INLINE F set1_f16(const uint8_t* p) {
    uint16_t h;
    __builtin_memcpy(&h, p, 2);
    return vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h)));
}
TINYLLM_INLINE void store_s8(int8_t* p, I x) {  // saturates
    const int16x4_t words = vqmovn_s32(x);
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, words))), 0);
    __builtin_memcpy(p, &four, 4);
}

TINYLLM_INLINE float sum_lanes(F x) {
    return vaddvq_f32(x);
}
TINYLLM_INLINE int32_t sum_lanes_i(I x) {
    return vaddvq_s32(x);
}
TINYLLM_INLINE float max_lanes(F x) {
    return vmaxvq_f32(x);
}
/// Lane i becomes the sum of the lanes of v[i].
TINYLLM_INLINE F sum_rows(const F* v) {
    return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}

/// Activations of kSteps steps, and those of step s among them: four bytes of the vector.
struct Step {
    int8x16_t x;
    int s;
};
TINYLLM_INLINE int8x16_t load_steps(const int8_t* x) {
    return vld1q_s8(x);
}
TINYLLM_INLINE Step step_of(int8x16_t x, int s) {
    return {x, s};
}

#ifdef __ARM_FEATURE_DOTPROD
struct DotQ8 {
    typedef I Acc;
    template <bool offset>
    static TINYLLM_INLINE Acc start(const int32_t* add) {
        return offset ? vld1q_dup_s32(add) : vld1q_s32(add);
    }
    /// The instruction takes the four bytes from the vector, which saves spreading them.
    static TINYLLM_INLINE void step(Acc& acc, I w, Step x) {
        const int8x16_t bytes = vreinterpretq_s8_s32(w);
        switch (x.s) {
            case 0:
                acc = vdotq_laneq_s32(acc, bytes, x.x, 0);
                break;
            case 1:
                acc = vdotq_laneq_s32(acc, bytes, x.x, 1);
                break;
            case 2:
                acc = vdotq_laneq_s32(acc, bytes, x.x, 2);
                break;
            default:
                acc = vdotq_laneq_s32(acc, bytes, x.x, 3);
        }
    }
    template <bool>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t*) {
        return acc;
    }
};
typedef DotQ8 DotQ4;
typedef DotQ8 DotQ6;
#else
TINYLLM_INLINE int8x16_t spread(Step step) {
    const I x = vreinterpretq_s32_s8(step.x);
    switch (step.s) {
        case 0:
            return vreinterpretq_s8_s32(vdupq_laneq_s32(x, 0));
        case 1:
            return vreinterpretq_s8_s32(vdupq_laneq_s32(x, 1));
        case 2:
            return vreinterpretq_s8_s32(vdupq_laneq_s32(x, 2));
        default:
            return vreinterpretq_s8_s32(vdupq_laneq_s32(x, 3));
    }
}

/// Two products of bytes fit 16 bits as long as no activation is -128, so two steps are multiplied before
/// they are joined to the sums of 32 bits.
struct DotQ8 {
    struct Acc {
        int32x4_t rows01, rows23;
        int16x8_t first01, first23;
    };
    template <bool>
    static TINYLLM_INLINE Acc start(const int32_t*) {
        return {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s16(0), vdupq_n_s16(0)};
    }
    static TINYLLM_INLINE void step(Acc& acc, I w, Step x) {
        const int8x16_t bytes = vreinterpretq_s8_s32(w);
        const int8x16_t four = spread(x);
        if (x.s % 2 == 0) {
            acc.first01 = vmull_s8(vget_low_s8(bytes), vget_low_s8(four));
            acc.first23 = vmull_high_s8(bytes, four);
        } else {
            acc.rows01 =
                vpadalq_s16(acc.rows01, vmlal_s8(acc.first01, vget_low_s8(bytes), vget_low_s8(four)));
            acc.rows23 = vpadalq_s16(acc.rows23, vmlal_high_s8(acc.first23, bytes, four));
        }
    }
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        const I sum = vpaddq_s32(acc.rows01, acc.rows23);
        return offset ? add_i(sum, set1_i(*add)) : sum;
    }
};

/// Sums of 16 bits over all steps: eight products of weights 0..31, or the four of half a block of weights
/// 0..63, stay below 2^15 (8 * 31 * 127, 4 * 63 * 127).
struct DotQ6 {
    struct Acc {
        int16x8_t rows01, rows23;
    };
    template <bool>
    static TINYLLM_INLINE Acc start(const int32_t*) {
        return {vdupq_n_s16(0), vdupq_n_s16(0)};
    }
    static TINYLLM_INLINE void step(Acc& acc, I w, Step x) {
        const int8x16_t bytes = vreinterpretq_s8_s32(w);
        const int8x16_t four = spread(x);
        acc.rows01 = vmlal_s8(acc.rows01, vget_low_s8(bytes), vget_low_s8(four));
        acc.rows23 = vmlal_high_s8(acc.rows23, bytes, four);
    }
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        const I sum = vpaddq_s32(vpaddlq_s16(acc.rows01), vpaddlq_s16(acc.rows23));
        return offset ? add_i(sum, set1_i(*add)) : sum;
    }
};

/// Weights 0..15: pairs of those sums stay below 2^15 too.
struct DotQ4 : DotQ6 {
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        const I sum = vpaddlq_s16(vpaddq_s16(acc.rows01, acc.rows23));
        return offset ? add_i(sum, set1_i(*add)) : sum;
    }
};
#endif

#ifdef __ARM_FEATURE_MATMUL_INT8
/// Products of 2 rows by 2 tokens, eight bytes of each at a time: see int_pairs.h.
constexpr bool kPairs = true;
constexpr int kPairColumns = 8;

struct Rows {
    I first, second;
};
/// {a0, b0, a1, b1} and {a2, b2, a3, b3}.
TINYLLM_INLINE Rows interleave(I a, I b) {
    return {vzip1q_s32(a, b), vzip2q_s32(a, b)};
}
/// {a0, a2, b0, b2} and {a1, a3, b1, b3}.
TINYLLM_INLINE Rows alternate(I a, I b) {
    return {vuzp1q_s32(a, b), vuzp2q_s32(a, b)};
}
/// {p[0], p[1], p[0], p[1]}
TINYLLM_INLINE I load_two(const int32_t* p) {
    int64_t both;
    __builtin_memcpy(&both, p, 8);
    return vreinterpretq_s32_s64(vdupq_n_s64(both));
}
/// Sums {w0 x0, w0 x1, w1 x0, w1 x1} of two times eight bytes each.
TINYLLM_INLINE I multiply_pairs(I acc, I w, I x) {
    return vmmlaq_s32(acc, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
}
#else
constexpr bool kPairs = false;
constexpr int kPairColumns = 0;
#endif

}  // namespace tinyllm::cpu::TINYLLM_ISA
