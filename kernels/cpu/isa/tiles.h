// The inner products: a few panels of weights times a tile of tokens.
//
// Every output is one chain of additions over k (over blocks, with exact integers inside, for int8), whatever
// the tile: that makes results independent of the number of tokens and threads.
#pragma once

#if defined(__clang__)
#define TINYLLM_UNROLL _Pragma("unroll")
#else
#define TINYLLM_UNROLL _Pragma("GCC unroll 16")
#endif

namespace tinyllm::cpu::TINYLLM_ISA {

constexpr int kLargestTile = kTileSizes[kMaxTiles - 1];

/// The tile that serves `remaining` tokens: the largest while it can be filled, then the smallest that holds
/// the rest.
TINYLLM_INLINE int next_tile(int64_t remaining) {
    for (int i = 0; i < kMaxTiles; ++i) {
        if (remaining <= kTileSizes[i]) return kTileSizes[i];
    }
    return kLargestTile;
}

TINYLLM_INLINE int64_t scale_bytes(int64_t blocks) {
    return (blocks * kLanes * 2 + 63) / 64 * 64;
}

template <int type>
TINYLLM_INLINE F weight(const uint8_t* panel, int64_t at) {
    if constexpr (type == kF32) {
        return load(reinterpret_cast<const float*>(panel) + at);
    } else if constexpr (type == kF16) {
        return load_f16(reinterpret_cast<const uint16_t*>(panel) + at);
    } else {
        return load_bf16(reinterpret_cast<const uint16_t*>(panel) + at);
    }
}

/// `step`: elements from one k to the next in w. x is [k][tile] with x_token = 1 and x_k = tile, or rows with
/// x_token their stride.
template <int type, int panels, int tile, int x_token, int x_k>
TINYLLM_INLINE void float_block(const uint8_t* w, int64_t stride, int64_t step, int64_t cols, const float* x,
                                float* out, int64_t ld) {
    F acc[panels][tile];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) {
        TINYLLM_UNROLL
        for (int t = 0; t < tile; ++t) acc[p][t] = zero();
    }
    for (int64_t k = 0; k < cols; ++k) {
        F v[panels];
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) v[p] = weight<type>(w + p * stride, k * step);
        TINYLLM_UNROLL
        for (int t = 0; t < tile; ++t) {
            const F b = set1(x[k * x_k + t * x_token]);
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) acc[p][t] = fma(v[p], b, acc[p][t]);
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(out + t * ld + p * kLanes, acc[p][t]);
    }
}

template <int type, int tile>
void float_panels(const uint8_t* w, int64_t stride, int n_panels, int64_t cols, const float* x, float* out,
                  int64_t ld) {
    int p = 0;
    for (; p + kFloatPanels <= n_panels; p += kFloatPanels) {
        float_block<type, kFloatPanels, tile, 1, tile>(w + p * stride, stride, kLanes, cols, x,
                                                       out + p * kLanes, ld);
    }
    for (; p < n_panels; ++p) {
        float_block<type, 1, tile, 1, tile>(w + p * stride, stride, kLanes, cols, x, out + p * kLanes, ld);
    }
}

template <int type>
void float_tile_of(const Panels* w, int64_t first, int n_panels, const float* x, int tile, float* out,
                   int64_t ld) {
    const uint8_t* data = w->data + first * w->stride;
    const int64_t stride = w->stride;
    if (tile == kTileSizes[0]) {
        float_panels<type, kTileSizes[0]>(data, stride, n_panels, w->cols, x, out, ld);
    } else if (tile == kTileSizes[1]) {
        float_panels<type, kTileSizes[1]>(data, stride, n_panels, w->cols, x, out, ld);
    } else if (tile == kTileSizes[2]) {
        float_panels<type, kTileSizes[2]>(data, stride, n_panels, w->cols, x, out, ld);
    } else if (tile == kTileSizes[3]) {
        float_panels<type, kTileSizes[3]>(data, stride, n_panels, w->cols, x, out, ld);
    } else {
        float_panels<type, kTileSizes[4]>(data, stride, n_panels, w->cols, x, out, ld);
    }
}

void float_tile(const Panels* w, int64_t first, int n_panels, const float* x, int tile, float* out,
                int64_t ld) {
    switch (w->type) {
        case kF32:
            return float_tile_of<kF32>(w, first, n_panels, x, tile, out, ld);
        case kF16:
            return float_tile_of<kF16>(w, first, n_panels, x, tile, out, ld);
        default:
            return float_tile_of<kBF16>(w, first, n_panels, x, tile, out, ld);
    }
}

/// Vector j of eight of a block: bytes 4 j..4 j + 3 of every row.
template <int type>
TINYLLM_INLINE I block_bytes(const uint8_t* block, int j) {
    if constexpr (type == kQ8_0) {
        return load_i(block + j * kLanes * 4);
    } else {
        const I raw = load_i(block + (j & 3) * kLanes * 4);
        return and_i(j < 4 ? raw : shift_right<4>(raw), set1_i(0x0f0f0f0f));
    }
}

/// `tile` columns of an int8 tile of `width`, from the one x points to.
template <int type, int panels, int tile, int width>
TINYLLM_INLINE void int_block(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out,
                              int64_t ld) {
    using Product = Select<type == kQ8_0, DotQ8, DotQ4>;
    constexpr bool kOffset = type == kQ4_0 || kQ8Offset != 0;
    constexpr int64_t kBytes = (type == kQ8_0 ? 8 : 4) * kLanes * 4;
    const int32_t* offsets = type == kQ8_0 ? x.offsets_q8 : x.offsets_q4;
    const int64_t scales = scale_bytes(blocks);
    F acc[panels][tile];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) {
        TINYLLM_UNROLL
        for (int t = 0; t < tile; ++t) acc[p][t] = zero();
    }
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t at = b * width;
        typename Product::Acc dot[panels][tile];
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) {
            TINYLLM_UNROLL
            for (int t = 0; t < tile; ++t) dot[p][t] = Product::template start<kOffset>(offsets + at + t);
        }
        const int8_t* q = x.q + at * kBlock;
        TINYLLM_UNROLL
        for (int j = 0; j < 8; ++j) {
            I v[panels];
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p)
                v[p] = block_bytes<type>(w + p * stride + scales + b * kBytes, j);
            TINYLLM_UNROLL
            for (int t = 0; t < tile; ++t) {
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p) Product::step(dot[p][t], v[p], q + t * kBlock + 4 * j);
            }
        }
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) {
            const F d = load_f16(reinterpret_cast<const uint16_t*>(w + p * stride) + b * kLanes);
            TINYLLM_UNROLL
            for (int t = 0; t < tile; ++t) {
                const I sum = Product::template finish<kOffset>(dot[p][t], offsets + at + t);
                acc[p][t] = fma(mul(to_float(sum), d), set1(x.scales[at + t]), acc[p][t]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(out + t * ld + p * kLanes, acc[p][t]);
    }
}

/// A tile wider than kIntColumns goes through in parts, so that two panels share each broadcast and the sums
/// stay in registers.
template <int type, int panels, int width>
TINYLLM_INLINE void int_columns_of(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out,
                                   int64_t ld) {
    constexpr int kColumns = width <= kIntColumns ? width : kIntColumns;
    static_assert(width % kColumns == 0);
    for (int t = 0; t < width; t += kColumns) {
        const IntTile part{x.q + t * kBlock, x.scales + t, x.offsets_q8 + t, x.offsets_q4 + t};
        int_block<type, panels, kColumns, width>(w, stride, blocks, part, out + t * ld, ld);
    }
}

template <int type, int tile>
void int_panels_of(const Panels* w, int64_t first, int n_panels, IntTile x, float* out, int64_t ld) {
    const uint8_t* data = w->data + first * w->stride;
    const int64_t blocks = w->cols / kBlock;
    int p = 0;
    for (; p + kIntPanels <= n_panels; p += kIntPanels) {
        int_columns_of<type, kIntPanels, tile>(data + p * w->stride, w->stride, blocks, x, out + p * kLanes,
                                               ld);
    }
    if constexpr (kIntPanels > 1) {
        for (; p < n_panels; ++p) {
            int_columns_of<type, 1, tile>(data + p * w->stride, w->stride, blocks, x, out + p * kLanes, ld);
        }
    }
}

template <int type>
void int_tile_of(const Panels* w, int64_t first, int n_panels, IntTile x, int tile, float* out, int64_t ld) {
    if (tile == kTileSizes[0]) {
        int_panels_of<type, kTileSizes[0]>(w, first, n_panels, x, out, ld);
    } else if (tile == kTileSizes[1]) {
        int_panels_of<type, kTileSizes[1]>(w, first, n_panels, x, out, ld);
    } else if (tile == kTileSizes[2]) {
        int_panels_of<type, kTileSizes[2]>(w, first, n_panels, x, out, ld);
    } else if (tile == kTileSizes[3]) {
        int_panels_of<type, kTileSizes[3]>(w, first, n_panels, x, out, ld);
    } else {
        int_panels_of<type, kTileSizes[4]>(w, first, n_panels, x, out, ld);
    }
}

void int_tile(const Panels* w, int64_t first, int n_panels, IntTile x, int tile, float* out, int64_t ld) {
    if (w->type == kQ8_0) return int_tile_of<kQ8_0>(w, first, n_panels, x, tile, out, ld);
    return int_tile_of<kQ4_0>(w, first, n_panels, x, tile, out, ld);
}

/// Four consecutive elements of each row from their bytes, times the scale.
TINYLLM_INLINE void store_four(I bytes, int32_t offset, F d, float* out) {
    const I o = set1_i(offset);
    const I low = set1_i(0xff);
    store(out, mul(to_float(sub_i(and_i(bytes, low), o)), d));
    store(out + kLanes, mul(to_float(sub_i(and_i(shift_right<8>(bytes), low), o)), d));
    store(out + 2 * kLanes, mul(to_float(sub_i(and_i(shift_right<16>(bytes), low), o)), d));
    store(out + 3 * kLanes, mul(to_float(sub_i(and_i(shift_right<24>(bytes), low), o)), d));
}

void unpack_panel(const Panels* w, int64_t panel, float* out) {
    const uint8_t* data = w->data + panel * w->stride;
    if (w->type != kQ8_0 && w->type != kQ4_0) {
        for (int64_t k = 0; k < w->cols; ++k, out += kLanes) {
            store(out, w->type == kF32   ? weight<kF32>(data, k * kLanes)
                       : w->type == kF16 ? weight<kF16>(data, k * kLanes)
                                         : weight<kBF16>(data, k * kLanes));
        }
        return;
    }
    const int64_t blocks = w->cols / kBlock;
    const uint8_t* bytes = data + scale_bytes(blocks);
    // Signed bytes become unsigned by flipping the top bit, which is the same as adding 128.
    const I flip = set1_i(kQ8Offset ? 0 : static_cast<int32_t>(0x80808080u));
    for (int64_t b = 0; b < blocks; ++b) {
        const F d = load_f16(reinterpret_cast<const uint16_t*>(data) + b * kLanes);
        for (int j = 0; j < 8; ++j, out += 4 * kLanes) {
            if (w->type == kQ8_0) {
                store_four(xor_i(block_bytes<kQ8_0>(bytes + b * 8 * kLanes * 4, j), flip), 128, d, out);
            } else {
                store_four(block_bytes<kQ4_0>(bytes + b * 4 * kLanes * 4, j), 8, d, out);
            }
        }
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
