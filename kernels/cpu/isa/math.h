// exp and the activations on vectors, relative error below 3e-7. The polynomials come from fit_functions.py.
#pragma once

namespace tinyllm::cpu::TINYLLM_ISA {

/// e^x; below -87.3 and above 88.3 the value there. NaN stays.
TINYLLM_INLINE F exp(F x) {
    x = min(set1(88.3f), max(set1(-87.3f), x));
    const I n = round_to_int(mul(x, set1(1.44269504f)));
    const F nf = to_float(n);
    // ln 2 in two parts, the first short enough that its product with n is exact.
    F r = fma(nf, set1(-0.693145751953125f), x);
    r = fma(nf, set1(-1.42860682e-6f), r);
    F p = set1(0.001390128512866795f);
    p = fma(p, r, set1(0.008363140746951103f));
    p = fma(p, r, set1(0.04166685417294502f));
    p = fma(p, r, set1(0.16666577756404877f));
    p = fma(p, r, set1(0.5f));
    const F e = add(fma(mul(r, r), p, r), set1(1.0f));
    return mul(e, bits_to_float(shift_left<23>(add_i(n, set1_i(127)))));
}

/// 2^x for x <= 0; below -126 the value there. NaN stays, and 2^0 is 1.
TINYLLM_INLINE F exp2_below(F x) {
    x = max(set1(-126.0f), x);
    const F shifted = add(x, set1(0x1.8p23f));  // whole, in the lowest bits
    const F r = sub(x, sub(shifted, set1(0x1.8p23f)));
    F p = set1(0.001326472731307149f);
    p = fma(p, r, set1(0.009671512991189957f));
    p = fma(p, r, set1(0.05550733581185341f));
    p = fma(p, r, set1(0.24022242426872253f));
    p = fma(p, r, set1(0.6931470036506653f));
    p = fma(p, r, set1(1.0f));
    return bits_to_float(add_i(float_to_bits(p), shift_left<23>(float_to_bits(shifted))));
}

TINYLLM_INLINE float exp1(float x) {
    float out[kLanes];
    store(out, exp(set1(x)));
    return out[0];
}

/// x / (1 + e^-y)
TINYLLM_INLINE F times_sigmoid(F x, F y) {
    return div(x, add(set1(1.0f), exp(sub(zero(), y))));
}

/// x Phi(x) by the tail erfc(z) = e^(-z^2) p(1 / (1 + 0.4 z)), z = |x| / sqrt 2, so that small results keep
/// their digits.
TINYLLM_INLINE F gelu(F x) {
    const F z = min(set1(9.3f), mul(abs(x), set1(0.70710678f)));
    const F t = div(set1(1.0f), fma(z, set1(0.4f), set1(1.0f)));
    F p = set1(0.02693941257894039f);
    p = fma(p, t, set1(-0.0653463825583458f));
    p = fma(p, t, set1(-0.08546248823404312f));
    p = fma(p, t, set1(0.3043668568134308f));
    p = fma(p, t, set1(-0.09194155782461166f));
    p = fma(p, t, set1(0.2809700071811676f));
    p = fma(p, t, set1(0.17322686314582825f));
    p = fma(p, t, set1(0.23223748803138733f));
    p = fma(p, t, set1(0.22497814893722534f));
    p = fma(p, t, set1(3.169419142068364e-05f));
    const F tail = mul(mul(set1(0.5f), p), exp(sub(zero(), mul(z, z))));
    const F small = mul(x, tail);
    return select_negative(x, small, sub(x, small));
}

TINYLLM_INLINE F activate(int activation, F x) {
    switch (activation) {
        case kRelu:
            return max(zero(), x);
        case kSilu:
            return times_sigmoid(x, x);
        case kGelu:
            return gelu(x);
        case kGeluTanh: {  // (1 + tanh u) / 2 = 1 / (1 + e^-2u)
            const F cubic = mul(mul(x, x), mul(x, set1(0.044715f)));
            return times_sigmoid(x, mul(set1(1.5957691216f), add(x, cubic)));
        }
        case kReluSquared: {
            const F y = max(zero(), x);
            return mul(y, y);
        }
        default:
            return x;
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
