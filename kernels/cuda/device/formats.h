// Octets of each weight type, as floats with the very values that the file's formula gives, and for quantized
// types as signed bytes with a scale and a minimum. A new type is a struct here, a case in with_format() and
// its layout in layout.h and pack.cpp.
#pragma once

#include "kernels/cuda/device/numerics.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// x[i] = d * q[i] - m, q[0..3] the bytes of low.
struct IntOctet {
    uint32_t low, high;
    float d, m;
};

/// What all formats read from; Index is what rows and octets are counted by.
template <typename Index>
struct StripView {
    const unsigned char* levels;
    const unsigned char* high;
    const unsigned char* scales;
    const unsigned char* d;
    Index octets;  // of a row
};
using WeightView = StripView<int64_t>;
/// A tile of 128 rows of at most kTileColumns is within reach of 32 bits, which take half the instructions.
using TileView = StripView<int32_t>;

TINYLLM_DEVICE WeightView view_of(const WeightRows& w) {
    const Sections at = sections_of(w.type, w.strip_rows, w.cols);
    return WeightView{w.data, w.data + at.high, w.data + at.scales, w.data + at.d, at.octets};
}

/// The strip from row p.first + `first` on.
TINYLLM_DEVICE TileView tile_of(const WeightRows& w, int64_t first) {
    const WeightView v = view_of(w);
    const Sizes s = sizes_of(w.type);
    const int64_t row = w.first + first;
    return TileView{v.levels + row * v.octets * s.levels, v.high + row * v.octets * s.high,
                    v.scales + row * (w.cols / s.scales_elements) * s.scales,
                    v.d + row * (w.cols / s.d_elements) * s.d, static_cast<int32_t>(v.octets)};
}

TINYLLM_DEVICE float signed_byte(uint32_t word, int i) {
    return static_cast<float>(static_cast<int8_t>(word >> (8 * i)));
}

/// From bytes below 64 to those less `offset`, without a borrow from byte to byte.
TINYLLM_DEVICE uint32_t less(uint32_t bytes, uint32_t offset) {
    return ((bytes | 0x80808080u) - offset) ^ 0x80808080u;
}

struct FormatF32 {
    static constexpr MatvecBy kBy = MatvecBy::floats;
    static TINYLLM_DEVICE void floats(const WeightView& w, int64_t row, int64_t octet, float* to) {
        const unsigned char* from = w.levels + (row * w.octets + octet) * 32;
        TINYLLM_UNROLL
        for (int half = 0; half < 2; ++half) {
            const Words4 words = load4(from + 16 * half);
            TINYLLM_UNROLL
            for (int i = 0; i < 4; ++i) to[4 * half + i] = bits_to_float(words.w[i]);
        }
    }
};

struct FormatF16 {
    static constexpr MatvecBy kBy = MatvecBy::halves;
    static constexpr bool kMinima = false;
    /// Neighbours in a word, the first below.
    static TINYLLM_DEVICE Words4 halves(const WeightView& w, int64_t row, int64_t octet) {
        return load4(w.levels + (row * w.octets + octet) * 16);
    }
    static TINYLLM_DEVICE void floats(const WeightView& w, int64_t row, int64_t octet, float* to) {
        const Words4 words = load4(w.levels + (row * w.octets + octet) * 16);
        TINYLLM_UNROLL
        for (int i = 0; i < 4; ++i) {
            to[2 * i] = half_to_float(static_cast<uint16_t>(words.w[i]));
            to[2 * i + 1] = half_to_float(static_cast<uint16_t>(words.w[i] >> 16));
        }
    }
};

struct FormatBf16 {
    static constexpr MatvecBy kBy = MatvecBy::floats;
    static TINYLLM_DEVICE void floats(const WeightView& w, int64_t row, int64_t octet, float* to) {
        const Words4 words = load4(w.levels + (row * w.octets + octet) * 16);
        TINYLLM_UNROLL
        for (int i = 0; i < 4; ++i) {
            to[2 * i] = bits_to_float(words.w[i] << 16);
            to[2 * i + 1] = bits_to_float(words.w[i] & 0xffff0000u);
        }
    }
};

/// What a quantized format F has beside Raw, what it reads of an octet; fetch(), which reads that; and
/// decode(). A kernel may do something else between the two, while the memory answers. Raw of zeros are
/// zeros.
template <typename F>
struct Quantized {
    static constexpr MatvecBy kBy = MatvecBy::bytes;
    static TINYLLM_DEVICE IntOctet ints(const WeightView& w, int64_t row, int64_t octet) {
        return F::decode(F::fetch(w, row, octet), static_cast<int>(octet % 32));
    }
    static TINYLLM_DEVICE void floats(const WeightView& w, int64_t row, int64_t octet, float* to) {
        floats_of(ints(w, row, octet), to);
    }
    static TINYLLM_DEVICE void floats_of(const IntOctet& o, float* to) {
        TINYLLM_UNROLL
        for (int i = 0; i < 4; ++i) {
            to[i] = o.d * signed_byte(o.low, i);
            to[4 + i] = o.d * signed_byte(o.high, i);
        }
        TINYLLM_UNROLL
        for (int i = 0; i < 8; ++i) to[i] = F::kMinima ? to[i] - o.m : to[i];
    }
};

/// The scale of a block of 32.
template <typename Index>
TINYLLM_DEVICE uint16_t scale_32(const StripView<Index>& w, Index row, Index octet) {
    return load_u16(w.d + (row * (w.octets / 4) + octet / 4) * 2);
}

struct FormatQ8_0 : Quantized<FormatQ8_0> {
    static constexpr bool kMinima = false;
    struct Raw {
        Words2 levels;
        uint16_t d;
    };
    template <typename Index>
    static TINYLLM_DEVICE Raw fetch(const StripView<Index>& w, Index row, Index octet) {
        return Raw{load2(w.levels + (row * w.octets + octet) * 8), scale_32(w, row, octet)};
    }
    static TINYLLM_DEVICE IntOctet decode(const Raw& raw, int /*octet*/) {
        return IntOctet{raw.levels.w[0], raw.levels.w[1], half_to_float(raw.d), 0};
    }
};

struct FormatQ4_0 : Quantized<FormatQ4_0> {
    static constexpr bool kMinima = false;
    struct Raw {
        uint32_t levels;
        uint16_t d;
    };
    template <typename Index>
    static TINYLLM_DEVICE Raw fetch(const StripView<Index>& w, Index row, Index octet) {
        return Raw{load1(w.levels + (row * w.octets + octet) * 4), scale_32(w, row, octet)};
    }
    static TINYLLM_DEVICE IntOctet decode(const Raw& raw, int /*octet*/) {
        const uint32_t u = raw.levels;
        return IntOctet{less(u & 0x0f0f0f0fu, 0x08080808u), less(u >> 4 & 0x0f0f0f0fu, 0x08080808u),
                        half_to_float(raw.d), 0};
    }
};

struct FormatQ5_0 : Quantized<FormatQ5_0> {
    static constexpr bool kMinima = false;
    struct Raw {
        uint32_t levels;
        uint16_t d;
        uint8_t fifth;
    };
    template <typename Index>
    static TINYLLM_DEVICE Raw fetch(const StripView<Index>& w, Index row, Index octet) {
        const int64_t at = row * w.octets + octet;
        return Raw{load1(w.levels + at * 4), scale_32(w, row, octet), load_u8(w.high + at)};
    }
    static TINYLLM_DEVICE IntOctet decode(const Raw& raw, int /*octet*/) {
        const uint32_t u = raw.levels, fifth = raw.fifth;
        return IntOctet{less((u & 0x0f0f0f0fu) | spread(fifth), 0x10101010u),
                        less((u >> 4 & 0x0f0f0f0fu) | spread(fifth >> 4), 0x10101010u), half_to_float(raw.d),
                        0};
    }
    /// Bit i to bit 4 of byte i.
    static TINYLLM_DEVICE uint32_t spread(uint32_t bits) {
        return (bits & 1u) << 4 | (bits & 2u) << 11 | (bits & 4u) << 18 | (bits & 8u) << 25;
    }
};

struct FormatQ4_K : Quantized<FormatQ4_K> {
    static constexpr bool kMinima = true;
    struct Raw {
        Words4 header;
        uint32_t levels;
    };
    template <typename Index>
    static TINYLLM_DEVICE Raw fetch(const StripView<Index>& w, Index row, Index octet) {
        return Raw{load4(w.d + (row * (w.octets / 32) + octet / 32) * 16),
                   load1(w.levels + (row * w.octets + octet) * 4)};
    }
    static TINYLLM_DEVICE IntOctet decode(const Raw& raw, int octet) {
        const uint32_t u = raw.levels;
        const Words4& header = raw.header;
        // 12 bytes of eight scales and eight minima of 6 bits: those of the first four sub-blocks are the low
        // bits of bytes s and s + 4; of the others byte s + 4 has the low nibbles, bytes s - 4 and s the
        // rest.
        const int s = octet / 4 % 8, shift = s % 4 * 8;
        uint32_t scale, minimum;
        if (s < 4) {
            scale = header.w[1] >> shift & 63u;
            minimum = header.w[2] >> shift & 63u;
        } else {
            const uint32_t both = header.w[3] >> shift;
            scale = (both & 15u) | (header.w[1] >> shift & 0xc0u) >> 2;
            minimum = (both >> 4 & 15u) | (header.w[2] >> shift & 0xc0u) >> 2;
        }
        const float d = half_to_float(static_cast<uint16_t>(header.w[0]));
        const float dmin = half_to_float(static_cast<uint16_t>(header.w[0] >> 16));
        return IntOctet{u & 0x0f0f0f0fu, u >> 4 & 0x0f0f0f0fu, d * static_cast<float>(scale),
                        dmin * static_cast<float>(minimum)};
    }
};

struct FormatQ6_K : Quantized<FormatQ6_K> {
    static constexpr bool kMinima = false;
    struct Raw {
        uint32_t levels;
        uint16_t top, d;
        uint8_t scale;
    };
    template <typename Index>
    static TINYLLM_DEVICE Raw fetch(const StripView<Index>& w, Index row, Index octet) {
        const int64_t at = row * w.octets + octet;
        return Raw{load1(w.levels + at * 4), load_u16(w.high + at * 2),
                   load_u16(w.d + (row * (w.octets / 32) + octet / 32) * 2),
                   load_u8(w.scales + row * (w.octets / 2) + octet / 2)};
    }
    static TINYLLM_DEVICE IntOctet decode(const Raw& raw, int /*octet*/) {
        const uint32_t u = raw.levels, top = raw.top;
        return IntOctet{less((u & 0x0f0f0f0fu) | spread(top), 0x20202020u),
                        less((u >> 4 & 0x0f0f0f0fu) | spread(top >> 8), 0x20202020u),
                        half_to_float(raw.d) * static_cast<float>(static_cast<int8_t>(raw.scale)), 0};
    }
    /// Bits 2 i, 2 i + 1 to bits 4 and 5 of byte i.
    static TINYLLM_DEVICE uint32_t spread(uint32_t bits) {
        return (bits & 3u) << 4 | (bits & 12u) << 10 | (bits & 48u) << 16 | (bits & 192u) << 22;
    }
};

/// Calls use(Format()) for a type that has a layout.
template <typename Use>
void with_format(int type, const Use& use) {
    switch (type) {
        case kF32:
            return use(FormatF32());
        case kF16:
            return use(FormatF16());
        case kBf16:
            return use(FormatBf16());
        case kQ8_0:
            return use(FormatQ8_0());
        case kQ4_0:
            return use(FormatQ4_0());
        case kQ5_0:
            return use(FormatQ5_0());
        case kQ4_K:
            return use(FormatQ4_K());
        case kQ6_K:
            return use(FormatQ6_K());
        default:
            return;
    }
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
