// Products of bytes by way of 16-bit sums, for sets without an instruction that sums four at once. The set
// defines, on I: multiply_bytes (unsigned times signed, neighbours added with saturation), add_words,
// sum_words (neighbouring words added to 32 bits), magnitude_s8, with_sign_s8 (x, negated where w is),
// broadcast4.
#pragma once

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kQ8Offset = 0;

/// Signed bytes: |w| (up to 128) times x with w's sign fits the pairwise 16-bit sums.
struct DotQ8 {
    typedef I Acc;
    template <bool>
    static TINYLLM_INLINE Acc start(const int32_t*) {
        return set1_i(0);
    }
    template <typename X>
    static TINYLLM_INLINE void step(Acc& acc, I w, X x) {
        const I four = broadcast4(x);
        acc = add_i(acc, sum_words(multiply_bytes(magnitude_s8(w), with_sign_s8(four, w))));
    }
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        const I sum = acc;
        return offset ? add_i(sum, set1_i(*add)) : sum;
    }
};

/// Weights 0..127: the pair sums of one step fit 16 bits.
struct DotQ6 : DotQ8 {
    template <typename X>
    static TINYLLM_INLINE void step(Acc& acc, I w, X x) {
        acc = add_i(acc, sum_words(multiply_bytes(w, broadcast4(x))));
    }
};

/// Weights 0..15: a block's eight pair sums stay below 2^15 (8 * 2 * 15 * 127).
struct DotQ4 : DotQ8 {
    template <typename X>
    static TINYLLM_INLINE void step(Acc& acc, I w, X x) {
        acc = add_words(acc, multiply_bytes(w, broadcast4(x)));
    }
    template <bool offset>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t* add) {
        return DotQ8::finish<offset>(sum_words(acc), add);
    }
};

}  // namespace tinyllm::cpu::TINYLLM_ISA
