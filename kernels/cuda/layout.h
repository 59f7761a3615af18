// How a strip of a weight matrix lies in device memory: by sections, one for each kind of thing a block of
// its type holds, so that every thread reads what it needs at an aligned address beside its neighbours'. The
// bits per weight are those of the file. The unit is an octet, 8 elements of one row; rows are padded to
// whole octets with zeros.
#pragma once

#include "kernels/cuda/device/platform.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

// DType's numbers of the types that have a layout; pack.cpp holds them to it.
enum Type : int {
    kF32 = 0,
    kF16 = 1,
    kQ4_0 = 2,
    kQ5_0 = 6,
    kQ8_0 = 8,
    kQ4_K = 12,
    kQ6_K = 14,
    kBf16 = 30,
};

constexpr int kOctet = 8;

/// Compute capabilities, times ten, from which on tensor cores multiply f16 and bf16 here.
constexpr int kHalfMma = 75, kBf16Mma = 80;
/// Likewise, for the products of four bytes.
constexpr int kByteDot = 61;

/// Bytes of one octet, of one sub-block, of one block in each section; 0: the type has no such section.
struct Sizes {
    int levels = 0, high = 0;             // of an octet
    int scales = 0, scales_elements = 1;  // of so many elements
    int d = 0, d_elements = 1;
};

/// Nibbles of an octet: byte i of the word holds element i below element i + 4.
/// f32, f16, bf16: the elements. q8_0: bytes. q5_0: nibbles, and in `high` bit i of a byte for element i.
/// q6_k: nibbles, and in `high` (a half-word) bits 2 i, 2 i + 1 for element i; 16 signed scales a
/// super-block. q4_k: nibbles; d is the super-block's header as in the file: d, dmin, 12 bytes of scales.
TINYLLM_BOTH Sizes sizes_of(int type) {
    Sizes s;
    switch (type) {
        case kF32:
            s.levels = 32;
            break;
        case kF16:
        case kBf16:
            s.levels = 16;
            break;
        case kQ8_0:
            s.levels = 8, s.d = 2, s.d_elements = 32;
            break;
        case kQ4_0:
            s.levels = 4, s.d = 2, s.d_elements = 32;
            break;
        case kQ5_0:
            s.levels = 4, s.high = 1, s.d = 2, s.d_elements = 32;
            break;
        case kQ4_K:
            s.levels = 4, s.d = 16, s.d_elements = 256;
            break;
        case kQ6_K:
            s.levels = 4, s.high = 2, s.scales = 1, s.scales_elements = 16, s.d = 2, s.d_elements = 256;
            break;
        default:
            break;
    }
    return s;
}

/// Where a strip's sections begin, from its first byte.
struct Sections {
    int64_t octets = 0;  // of a row
    int64_t high = 0, scales = 0, d = 0, bytes = 0;
};

TINYLLM_BOTH Sections sections_of(int type, int64_t rows, int64_t cols) {
    const Sizes s = sizes_of(type);
    const int64_t kAlign = 256;
    Sections at;
    at.octets = (cols + kOctet - 1) / kOctet;
    at.high = (rows * at.octets * s.levels + kAlign - 1) / kAlign * kAlign;
    at.scales = at.high + (rows * at.octets * s.high + kAlign - 1) / kAlign * kAlign;
    at.d = at.scales + (rows * (cols / s.scales_elements) * s.scales + kAlign - 1) / kAlign * kAlign;
    at.bytes = at.d + (rows * (cols / s.d_elements) * s.d + kAlign - 1) / kAlign * kAlign;
    return at;
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
