// Every kernel of one instruction set; compiled once per ISA (see ../CMakeLists.txt) with TINYLLM_ISA its
// namespace and TINYLLM_SIMD its vectors. Nothing here may include a header with inline functions of the
// standard library: the linker keeps one copy of such a function for the whole program, and that copy could
// hold instructions the CPU at hand does not have.
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/kernel_table.h"

#include TINYLLM_SIMD

#include "kernels/cpu/isa/attention.h"
#include "kernels/cpu/isa/attention_row.h"

#define TINYLLM_TEXT(x) #x
#define TINYLLM_NAME(x) TINYLLM_TEXT(x)

namespace tinyllm::cpu::TINYLLM_ISA {

extern const KernelTable kTable;
const KernelTable kTable = {
    TINYLLM_NAME(TINYLLM_ISA),
    kLanes,
    kQ8Offset,
    kSignedNibbles,
    kPairs ? 2 : 1,
    {kTileSizes[0], kTileSizes[1], kTileSizes[2], kTileSizes[3], kTileSizes[4]},
    nullptr,
    norm_row,
    fill_tile,
    fill_int_tile,
    float_tile,
    int_tile,
    unpack_panel,
    finish_linear,
    finish_glu,
    finish_logits,
    softmax_partial,
    rotate,
    load_row,
    store_row_f16,
    attend_step,
    attend_row,
};

}  // namespace tinyllm::cpu::TINYLLM_ISA
