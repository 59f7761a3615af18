// The products of bf16 pairs of one instruction set, which shares all else with avx512_vnni; compiled and
// bound to the same rules as kernels.cpp.
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/kernel_table.h"

#include TINYLLM_SIMD

#include "kernels/cpu/isa/pairs.h"
