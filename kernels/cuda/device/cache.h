// Elements of the KV cache: rows of head_dim elements in the types of kernels/quant_blocks.h, as stored
// there.
#pragma once

#include "kernels/cuda/device/numerics.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// Row of head `head` at `position` of a sequence whose blocks begin at `table`.
TINYLLM_DEVICE unsigned char* cache_row(const CacheParams& cache, int64_t row_bytes, int table, int position,
                                        int head) {
    unsigned char* block = cache.base + cache.offsets[table + position / kKvPositions];
    return block + (int64_t{head} * kKvPositions + position % kKvPositions) * row_bytes;
}

// Not load_u16(): that path is for what no kernel in flight writes.
TINYLLM_DEVICE float half_at(const unsigned char* at) {
    return half_to_float(*reinterpret_cast<const uint16_t*>(at));
}

TINYLLM_DEVICE float cached(int type, const unsigned char* row, int i) {
    switch (type) {
        case kF32:
            return reinterpret_cast<const float*>(row)[i];
        case kF16:
            return half_at(row + 2 * i);
        case kBf16:
            return bf16_to_float(reinterpret_cast<const uint16_t*>(row)[i]);
        case kQ8_0: {
            const unsigned char* block = row + i / 32 * 34;
            return half_at(block) * static_cast<float>(static_cast<int8_t>(block[2 + i % 32]));
        }
        case kQ4_0: {
            const unsigned char* block = row + i / 32 * 18;
            const int nibbles = block[2 + i % 16];
            return half_at(block) * static_cast<float>((i % 32 < 16 ? nibbles & 15 : nibbles >> 4) - 8);
        }
        default:
            return 0;
    }
}

TINYLLM_DEVICE void store_half(unsigned char* at, float x) {
    *reinterpret_cast<uint16_t*>(at) = float_to_half(x);
}

/// 1/d; 0 where the scale alone says that a block is all zeros, infinite or no number.
TINYLLM_DEVICE float inverse_of(float d) {
    return d != 0 && is_finite(d) ? 1.0f / d : 0.0f;
}

/// Lane `lane` of a warp stores its part of the 32 elements from the i-th on, of which those before `dims`
/// are there; get(j) is the j-th. The rules of kernels/quant.cpp, so equal values become equal bytes.
template <typename Get>
TINYLLM_DEVICE void store_cached(int type, unsigned char* row, int i, int dims, int lane, const Get& get) {
    if (type == kF32 || type == kF16 || type == kBf16) {
        if (i + lane >= dims) return;
        const float x = get(lane);
        if (type == kF32) {
            reinterpret_cast<float*>(row)[i + lane] = x;
        } else {
            reinterpret_cast<uint16_t*>(row)[i + lane] = type == kF16 ? float_to_half(x) : float_to_bf16(x);
        }
        return;
    }
    // The element of largest magnitude, the first of equals; what is no number before all others.
    float most = 0;
    bool number = true;
    for (int j = 0; j < kWarp; ++j) {
        const float x = get(j);
        if (number && (x != x || fabsf(x) > fabsf(most))) most = x;
        if (x != x) number = false;
    }
    if (type == kQ8_0) {
        unsigned char* block = row + i / 32 * 34;
        const float d = fabsf(most) / 127.0f;
        const float q = roundf(get(lane) * inverse_of(d));
        if (lane == 0) store_half(block, d);
        block[2 + lane] = static_cast<unsigned char>(fabsf(q) <= 127.0f ? static_cast<int>(q) : 0);
        return;
    }
    unsigned char* block = row + i / 32 * 18;
    const float d = most / -8.0f;
    if (lane == 0) store_half(block, d);
    if (lane >= 16) return;
    int nibbles = 0;
    for (int half = 0; half < 2; ++half) {
        const float shifted = get(lane + 16 * half) * inverse_of(d) + 8.5f;
        nibbles |= (shifted >= 15.0f ? 15 : shifted >= 0.0f ? static_cast<int>(shifted) : 0) << 4 * half;
    }
    block[2 + lane] = static_cast<unsigned char>(nibbles);
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
