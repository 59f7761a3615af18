// Four lanes: SSE4.1 (and SSSE3), as Atoms have it. No fused multiply-add: fma() rounds twice. No F16C
// either: halves are converted by hand.
#pragma once

#include <smmintrin.h>

#define TINYLLM_INLINE inline __attribute__((always_inline))

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kLanes = 4;
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
constexpr int kSteps = 4;
constexpr int kWideSteps = kSteps;
constexpr int kIntColumns = 4;

typedef __m128 F;
typedef __m128i I;

TINYLLM_INLINE F zero() {
    return _mm_setzero_ps();
}
TINYLLM_INLINE F set1(float x) {
    return _mm_set1_ps(x);
}
TINYLLM_INLINE F load(const float* p) {
    return _mm_loadu_ps(p);
}
TINYLLM_INLINE void store(float* p, F x) {
    _mm_storeu_ps(p, x);
}
TINYLLM_INLINE F add(F a, F b) {
    return _mm_add_ps(a, b);
}
TINYLLM_INLINE F sub(F a, F b) {
    return _mm_sub_ps(a, b);
}
TINYLLM_INLINE F mul(F a, F b) {
    return _mm_mul_ps(a, b);
}
TINYLLM_INLINE F fma(F a, F b, F c) {
    return add(mul(a, b), c);
}
TINYLLM_INLINE F div(F a, F b) {
    return _mm_div_ps(a, b);
}
/// NaN in x stays: the instruction returns its second operand when either is NaN.
TINYLLM_INLINE F max(F bound, F x) {
    return _mm_max_ps(bound, x);
}
TINYLLM_INLINE F min(F bound, F x) {
    return _mm_min_ps(bound, x);
}
TINYLLM_INLINE F abs(F x) {
    return _mm_andnot_ps(_mm_set1_ps(-0.0f), x);
}
TINYLLM_INLINE F select_negative(F x, F if_negative, F otherwise) {
    return _mm_blendv_ps(otherwise, if_negative, x);
}

TINYLLM_INLINE I load_i(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
TINYLLM_INLINE I set1_i(int32_t x) {
    return _mm_set1_epi32(x);
}
TINYLLM_INLINE I and_i(I a, I b) {
    return _mm_and_si128(a, b);
}
TINYLLM_INLINE I xor_i(I a, I b) {
    return _mm_xor_si128(a, b);
}
TINYLLM_INLINE I or_i(I a, I b) {
    return _mm_or_si128(a, b);
}
/// The byte of `table` that each byte of `at`, 0..15, names.
TINYLLM_INLINE I look_up(const uint8_t* table, I at) {
    return _mm_shuffle_epi8(load_i(table), at);
}
TINYLLM_INLINE I add_i(I a, I b) {
    return _mm_add_epi32(a, b);
}
TINYLLM_INLINE I sub_i(I a, I b) {
    return _mm_sub_epi32(a, b);
}
template <int n>
TINYLLM_INLINE I shift_left(I x) {
    return _mm_slli_epi32(x, n);
}
template <int n>
TINYLLM_INLINE I shift_right(I x) {  // arithmetic
    return _mm_srai_epi32(x, n);
}
TINYLLM_INLINE I high_nibbles(I x) {
    return and_i(shift_right<4>(x), set1_i(0x0f0f0f0f));
}
TINYLLM_INLINE F to_float(I x) {
    return _mm_cvtepi32_ps(x);
}
TINYLLM_INLINE F bits_to_float(I x) {
    return _mm_castsi128_ps(x);
}
TINYLLM_INLINE I float_to_bits(F x) {
    return _mm_castps_si128(x);
}
TINYLLM_INLINE I round_to_int(F x) {
    return _mm_cvtps_epi32(x);
}

/// Halves in the low 16 bits of each lane, the others zero. The exponent is moved by a multiplication with
/// 2^112, which makes normal numbers of subnormal ones too.
TINYLLM_INLINE F halves_to_float(I h) {
    const I magnitude = and_i(h, set1_i(0x7fff));
    const I sign = shift_left<16>(xor_i(h, magnitude));
    const F scaled = mul(bits_to_float(shift_left<13>(magnitude)), set1(0x1p112f));
    const I special = and_i(_mm_cmpgt_epi32(magnitude, set1_i(0x7bff)), set1_i(0x7f800000));  // infinity, NaN
    return bits_to_float(or_i(or_i(float_to_bits(scaled), special), sign));
}
TINYLLM_INLINE F load_f16(const uint16_t* p) {
    return halves_to_float(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
/// To nearest, ties to even.
TINYLLM_INLINE void store_f16(uint16_t* p, F x) {
    const I bits = float_to_bits(x);
    const I magnitude = and_i(bits, set1_i(0x7fffffff));
    const I odd = and_i(shift_right<13>(magnitude), set1_i(1));
    I h = shift_right<13>(add_i(sub_i(magnitude, set1_i((112 << 23) - 0xfff)), odd));
    // Subnormal halves are whole multiples of 2^-24: the sum with 1/2 has them in its lowest bits.
    const I small = sub_i(float_to_bits(add(bits_to_float(magnitude), set1(0.5f))), set1_i(0x3f000000));
    h = _mm_blendv_epi8(h, small, _mm_cmpgt_epi32(set1_i(0x38800000), magnitude));
    h = _mm_blendv_epi8(h, set1_i(0x7c00), _mm_cmpgt_epi32(magnitude, set1_i(0x477fefff)));
    h = _mm_blendv_epi8(h, set1_i(0x7e00), _mm_cmpgt_epi32(magnitude, set1_i(0x7f800000)));
    h = or_i(h, _mm_srli_epi32(and_i(bits, set1_i(static_cast<int32_t>(0x80000000u))), 16));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi32(h, h));
}
TINYLLM_INLINE F load_bf16(const uint16_t* p) {
    const __m128i h = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return bits_to_float(_mm_unpacklo_epi16(_mm_setzero_si128(), h));
}
TINYLLM_INLINE I load_four(const void* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm_cvtsi32_si128(four);
}
TINYLLM_INLINE F load_s8(const int8_t* p) {
    return to_float(_mm_cvtepi8_epi32(load_four(p)));
}
TINYLLM_INLINE I load_u8(const uint8_t* p) {
    return _mm_cvtepu8_epi32(load_four(p));
}
/// The half at p, of any alignment, in every lane.
TINYLLM_INLINE F set1_f16(const uint8_t* p) {
    uint16_t h;
    __builtin_memcpy(&h, p, 2);
    return halves_to_float(set1_i(h));
}
TINYLLM_INLINE void store_s8(int8_t* p, I x) {  // saturates
    const __m128i words = _mm_packs_epi32(x, x);
    const int32_t four = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
    __builtin_memcpy(p, &four, 4);
}

TINYLLM_INLINE float sum_lanes(F x) {
    const F s = add(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
TINYLLM_INLINE int32_t sum_lanes_i(I x) {
    const I s = add_i(x, _mm_shuffle_epi32(x, 0x4e));
    return _mm_cvtsi128_si32(add_i(s, _mm_shuffle_epi32(s, 0xb1)));
}
TINYLLM_INLINE float max_lanes(F x) {
    const F s = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
/// Lane i becomes the sum of the lanes of v[i].
TINYLLM_INLINE F sum_rows(const F* v) {
    return _mm_hadd_ps(_mm_hadd_ps(v[0], v[1]), _mm_hadd_ps(v[2], v[3]));
}

/// Activations of kSteps steps, and those of step s among them in every lane.
TINYLLM_INLINE I load_steps(const int8_t* x) {
    return load_i(x);
}
TINYLLM_INLINE I step_of(I x, int s) {
    switch (s) {
        case 0:
            return _mm_shuffle_epi32(x, 0x00);
        case 1:
            return _mm_shuffle_epi32(x, 0x55);
        case 2:
            return _mm_shuffle_epi32(x, 0xaa);
        default:
            return _mm_shuffle_epi32(x, 0xff);
    }
}

/// Activations of a step are in every lane already.
TINYLLM_INLINE I broadcast4(I x) {
    return x;
}
TINYLLM_INLINE I multiply_bytes(I w, I x) {
    return _mm_maddubs_epi16(w, x);
}
TINYLLM_INLINE I add_words(I a, I b) {
    return _mm_add_epi16(a, b);
}
TINYLLM_INLINE I sum_words(I x) {
    return _mm_madd_epi16(x, _mm_set1_epi16(1));
}
TINYLLM_INLINE I magnitude_s8(I w) {
    return _mm_abs_epi8(w);
}
TINYLLM_INLINE I with_sign_s8(I x, I w) {
    return _mm_sign_epi8(x, w);
}

}  // namespace tinyllm::cpu::TINYLLM_ISA

#include "kernels/cpu/isa/simd/dot_words.h"
