// In which type the CPU backend computes with weights of another: what its kernels have no panels for is
// re-coded at load.
#pragma once

#include "kernels/backend.h"

namespace tinyllm {

/// f32, f16, bf16, q8_0 and q4_0 stay as stored. q5_0 and iq4_nl become q8_0 of the same values. The others
/// hold values that no panel holds: with Precision::exact they become f32; with fast, q8_0 where the error
/// that this adds is below a twentieth of the type's own, else f16. (Of normal weights' mean square q8_0 adds
/// 2.9e-5. That is 2.2 % of q5_k's own error and 2.0 % of q5_1's, less of the coarser types', but 9 % of
/// q6_k's.)
DType packed_type(DType stored, Precision precision);

}  // namespace tinyllm
