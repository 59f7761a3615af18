// Eight lanes: AVX2, FMA, F16C; with AVX-VNNI where the compiler is told of it.
#pragma once

#include <immintrin.h>

#define TINYLLM_INLINE inline __attribute__((always_inline))

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kLanes = 8;
constexpr int kTileSizes[] = {1, 2, 4, 6, 6};
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
constexpr int kIntColumns = 6;

typedef __m256 F;
typedef __m256i I;

TINYLLM_INLINE F zero() {
    return _mm256_setzero_ps();
}
TINYLLM_INLINE F set1(float x) {
    return _mm256_set1_ps(x);
}
TINYLLM_INLINE F load(const float* p) {
    return _mm256_loadu_ps(p);
}
TINYLLM_INLINE void store(float* p, F x) {
    _mm256_storeu_ps(p, x);
}
TINYLLM_INLINE F fma(F a, F b, F c) {
    return _mm256_fmadd_ps(a, b, c);
}
TINYLLM_INLINE F add(F a, F b) {
    return _mm256_add_ps(a, b);
}
TINYLLM_INLINE F sub(F a, F b) {
    return _mm256_sub_ps(a, b);
}
TINYLLM_INLINE F mul(F a, F b) {
    return _mm256_mul_ps(a, b);
}
TINYLLM_INLINE F div(F a, F b) {
    return _mm256_div_ps(a, b);
}
/// NaN in x stays: the instruction returns its second operand when either is NaN.
TINYLLM_INLINE F max(F bound, F x) {
    return _mm256_max_ps(bound, x);
}
TINYLLM_INLINE F min(F bound, F x) {
    return _mm256_min_ps(bound, x);
}
TINYLLM_INLINE F abs(F x) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
TINYLLM_INLINE F select_negative(F x, F if_negative, F otherwise) {
    return _mm256_blendv_ps(otherwise, if_negative, x);
}

TINYLLM_INLINE I load_i(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
TINYLLM_INLINE I set1_i(int32_t x) {
    return _mm256_set1_epi32(x);
}
TINYLLM_INLINE I and_i(I a, I b) {
    return _mm256_and_si256(a, b);
}
TINYLLM_INLINE I xor_i(I a, I b) {
    return _mm256_xor_si256(a, b);
}
TINYLLM_INLINE I or_i(I a, I b) {
    return _mm256_or_si256(a, b);
}
/// The byte of `table` that each byte of `at`, 0..15, names.
TINYLLM_INLINE I look_up(const uint8_t* table, I at) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(sixteen), at);
}
TINYLLM_INLINE I add_i(I a, I b) {
    return _mm256_add_epi32(a, b);
}
TINYLLM_INLINE I sub_i(I a, I b) {
    return _mm256_sub_epi32(a, b);
}
template <int n>
TINYLLM_INLINE I shift_left(I x) {
    return _mm256_slli_epi32(x, n);
}
template <int n>
TINYLLM_INLINE I shift_right(I x) {  // arithmetic
    return _mm256_srai_epi32(x, n);
}
TINYLLM_INLINE I high_nibbles(I x) {
    return and_i(shift_right<4>(x), set1_i(0x0f0f0f0f));
}
TINYLLM_INLINE F to_float(I x) {
    return _mm256_cvtepi32_ps(x);
}
TINYLLM_INLINE F bits_to_float(I x) {
    return _mm256_castsi256_ps(x);
}
TINYLLM_INLINE I float_to_bits(F x) {
    return _mm256_castps_si256(x);
}
TINYLLM_INLINE I round_to_int(F x) {
    return _mm256_cvtps_epi32(x);
}

TINYLLM_INLINE F load_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
TINYLLM_INLINE void store_f16(uint16_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
TINYLLM_INLINE F load_bf16(const uint16_t* p) {
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
TINYLLM_INLINE F load_s8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
TINYLLM_INLINE I load_u8(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
/// The half at p, of any alignment, in every lane.
TINYLLM_INLINE F set1_f16(const uint8_t* p) {
    int16_t h;
    __builtin_memcpy(&h, p, 2);
    return _mm256_cvtph_ps(_mm_set1_epi16(h));
}
TINYLLM_INLINE void store_s8(int8_t* p, I x) {  // saturates
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

TINYLLM_INLINE float sum_lanes(F x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
TINYLLM_INLINE int32_t sum_lanes_i(I x) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
TINYLLM_INLINE float max_lanes(F x) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
/// Lane i becomes the sum of the lanes of v[i].
TINYLLM_INLINE F sum_rows(const F* v) {
    const F a = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    const F b = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

/// Activations of kSteps steps, and those of step s among them.
TINYLLM_INLINE const int8_t* load_steps(const int8_t* x) {
    return x;
}
TINYLLM_INLINE const int8_t* step_of(const int8_t* x, int) {
    return x;
}

TINYLLM_INLINE I broadcast4(const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm256_set1_epi32(four);
}

#if defined(__AVXVNNI__)
TINYLLM_INLINE I multiply_four(I sum, I w, I x) {
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
/// AVX-512 has the same instruction in an encoding of its own: the tests build this file for it too, for
/// machines that have no AVX-VNNI.
TINYLLM_INLINE I multiply_four(I sum, I w, I x) {
    return _mm256_dpbusd_epi32(sum, w, x);
}
#else
TINYLLM_INLINE I multiply_bytes(I w, I x) {
    return _mm256_maddubs_epi16(w, x);
}
TINYLLM_INLINE I add_words(I a, I b) {
    return _mm256_add_epi16(a, b);
}
TINYLLM_INLINE I sum_words(I x) {
    return _mm256_madd_epi16(x, _mm256_set1_epi16(1));
}
TINYLLM_INLINE I magnitude_s8(I w) {
    return _mm256_abs_epi8(w);
}
TINYLLM_INLINE I with_sign_s8(I x, I w) {
    return _mm256_sign_epi8(x, w);
}
#endif

}  // namespace tinyllm::cpu::TINYLLM_ISA

#if defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
#include "kernels/cpu/isa/simd/dot_vnni.h"
#else
#include "kernels/cpu/isa/simd/dot_words.h"
#endif
