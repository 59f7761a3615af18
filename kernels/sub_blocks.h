// A super-block of a K type taken apart.
#pragma once

#include <cstdint>

#include "kernels/quant_blocks.h"
#include "tinyllm/dtype.h"

namespace tinyllm {

/// x[i] = scale[i / size] * (level[i] - offset) - minimum[i / size]
struct SubBlocks {
    int size;    // 16 or 32
    int offset;  // what a level is above its element
    float scale[kSuperBlock / 16] = {};
    float minimum[kSuperBlock / 16] = {};
    std::uint8_t level[kSuperBlock] = {};
};

/// The super-block of K type `type` at `from`.
SubBlocks sub_blocks(DType type, const void* from);

}  // namespace tinyllm
