// Products of unsigned weights with signed activations, four summed by one instruction: the set defines
// multiply_four(sum, w, x) on I and broadcast4.
#pragma once

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kQ8Offset = 128;

/// Weights are stored + 128, or in fewer bits; the sum starts at what takes the offset out.
struct DotQ8 {
    typedef I Acc;
    template <bool offset>
    static TINYLLM_INLINE Acc start(const int32_t* add) {
        return set1_i(offset ? *add : 0);
    }
    static TINYLLM_INLINE void step(Acc& acc, I w, const int8_t* x) {
        acc = multiply_four(acc, w, broadcast4(x));
    }
    template <bool>
    static TINYLLM_INLINE I finish(Acc acc, const int32_t*) {
        return acc;
    }
};
typedef DotQ8 DotQ4;
typedef DotQ8 DotQ6;

}  // namespace tinyllm::cpu::TINYLLM_ISA
