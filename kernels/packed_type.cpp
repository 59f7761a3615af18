#include "kernels/packed_type.h"

#include <cassert>

#include "kernels/quant_blocks.h"

namespace tinyllm {

DType packed_type(DType stored, Precision precision) {
    const bool exact = precision == Precision::exact && dtype_block(stored) == kSuperBlock;
    return exact ? DType::f32 : traits(stored).uses.packed;
}

PackedBlock packed_block(DType type) {
    const PackedBlock panel = traits(type).uses.panel;
    assert(panel.bytes > 0);
    return panel;
}

std::int64_t packed_row_bytes(DType type, std::int64_t cols) {
    if (dtype_block(type) == 1) return static_cast<std::int64_t>(row_bytes(type, cols));
    const PackedBlock block = packed_block(type);
    return cols / kQuantBlock * (2 * block.scales + block.bytes);
}

}  // namespace tinyllm
