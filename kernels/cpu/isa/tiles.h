// The inner products: a few panels of weights times a tile of tokens.
//
// Every output is one chain of additions over k (over blocks, with exact integers inside, for int8), whatever
// the tile: that makes results independent of the number of tokens and threads.
#pragma once

#include "kernels/cpu/isa/int_pairs.h"

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
    const int64_t step_bytes = step * (type == kF32 ? 4 : 2);
    for (int64_t k = 0; k < cols; ++k) {
        if constexpr (tile == 1) {  // see int_block
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p)
                __builtin_prefetch(w + (panels + p) * stride + k * step_bytes, 0, 2);
        }
        F v[panels];
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) v[p] = weight<type>(w + p * stride, k * step);
        if constexpr (kFactorLanes && x_token == 1) {
            const Factors<tile> factors(x + k * x_k);
            TINYLLM_UNROLL
            for (int t = 0; t < tile; ++t) {
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p) acc[p][t] = factors.fma_by(v[p], t, acc[p][t]);
            }
        } else {
            TINYLLM_UNROLL
            for (int t = 0; t < tile; ++t) {
                const F b = set1(x[k * x_k + t * x_token]);
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p) acc[p][t] = fma(v[p], b, acc[p][t]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(out + t * ld + p * kLanes, acc[p][t]);
    }
}

/// One token: elements of a row after another, each panel's sum a chain of its own.
template <int type, int panels>
TINYLLM_INLINE void float_row(const uint8_t* w, int64_t stride, int64_t cols, const float* x, float* out) {
    constexpr int64_t kBytes = kLanes * (type == kF32 ? 4 : 2);  // of one k
    constexpr int64_t kStep = 64 / kBytes;
    F acc[panels];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) acc[p] = zero();
    int64_t k = 0;
    for (; k + kStep <= cols; k += kStep) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p)
            __builtin_prefetch(w + (panels + p) * stride + k * kBytes, 0, 2);  // see int_block
        const Factors<kStep> factors(x + k);
        TINYLLM_UNROLL
        for (int i = 0; i < kStep; ++i) {
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p)
                acc[p] = factors.fma_by(weight<type>(w + p * stride, (k + i) * kLanes), i, acc[p]);
        }
    }
    for (; k < cols; ++k) {
        const F b = set1(x[k]);
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) acc[p] = fma(weight<type>(w + p * stride, k * kLanes), b, acc[p]);
    }
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) store(out + p * kLanes, acc[p]);
}

/// Panels at once. One token waits for memory, which gives a thread most in a single stream: there one panel,
/// where its chain of additions keeps up with memory. (Panels of f32 may lie in a cache: unpacked ones do.)
template <int type, int tile>
constexpr int kFloatGroup = kLanes == 16 && tile == 1 && type != kF32 ? 1 : kFloatPanels;

template <int type, int tile>
void float_panels(const uint8_t* w, int64_t stride, int n_panels, int64_t cols, const float* x, float* out,
                  int64_t ld) {
    constexpr int kPanels = kFloatGroup<type, tile>;
    int p = 0;
    if constexpr (tile == 1 && kFactorLanes) {
        for (; p + kRowPanels <= n_panels; p += kRowPanels)
            float_row<type, kRowPanels>(w + p * stride, stride, cols, x, out + p * kLanes);
    }
    for (; p + kPanels <= n_panels; p += kPanels) {
        float_block<type, kPanels, tile, 1, tile>(w + p * stride, stride, kLanes, cols, x, out + p * kLanes,
                                                  ld);
    }
    if constexpr (kPanels > 1) {
        for (; p < n_panels; ++p) {
            float_block<type, 1, tile, 1, tile>(w + p * stride, stride, kLanes, cols, x, out + p * kLanes,
                                                ld);
        }
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

/// Steps whose weights are unpacked before the first is multiplied, of `most`.
constexpr int steps_held(int tile, int most) {
    return tile <= 4 ? kSteps : kWideSteps < most ? kWideSteps : most;
}

/// `tile` columns of an int8 tile of `width`, from the one x points to.
template <int type, int panels, int tile, int width>
TINYLLM_INLINE void int_block(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out,
                              int64_t ld) {
    typedef Form<type> W;
    using Product = typename W::Product;
    constexpr bool kOffset = W::kOffset != 0;
    constexpr int kParts = W::kHalves ? 2 : 1;
    constexpr int kHeld = steps_held(tile, 8 / kParts);
    constexpr bool kOwnStarts = kSumStart != 0 && !kOffset;
    static_assert(!kOwnStarts || panels * tile <= kMostSums);
    const int64_t scales = scale_bytes<type>(blocks);
    F acc[panels][tile];
    TINYLLM_UNROLL
    for (int p = 0; p < panels; ++p) {
        TINYLLM_UNROLL
        for (int t = 0; t < tile; ++t) acc[p][t] = zero();
    }
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t at = b * width;
        const int8_t* q = x.q + at * kBlock;
        if constexpr (width == 1) {
            // One token waits for memory: the panels behind these, which are next, are asked for meanwhile.
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) {
                const uint8_t* next = w + (panels + p) * stride + scales + b * W::kBytes * kLanes;
                for (int line = 0; line < W::kBytes * kLanes; line += 64)
                    __builtin_prefetch(next + line, 0, 2);
            }
        }
        TINYLLM_UNROLL
        for (int part = 0; part < kParts; ++part) {
            const int32_t* offsets = W::offsets(x) + at * kParts + part;
            typename Product::Acc dot[panels][tile];
            const int32_t* starts = kOwnStarts ? sum_starts<kShift<type>>() : offsets;
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) {
                TINYLLM_UNROLL
                for (int t = 0; t < tile; ++t)
                    dot[p][t] = Product::template start<kOffset>(
                        starts + (kOwnStarts ? (p * tile + t) * kLanes : t * kParts));
            }
            TINYLLM_UNROLL
            for (int i = 0; i < 8 / kParts / kHeld; ++i) {
                const int j = part * 8 / kParts + i * kHeld;
                I v[panels][kHeld];
                TINYLLM_UNROLL
                for (int p = 0; p < panels; ++p) {
                    TINYLLM_UNROLL
                    for (int s = 0; s < kHeld; ++s)
                        v[p][s] = W::bytes(w + p * stride + scales + b * W::kBytes * kLanes, j + s);
                }
                TINYLLM_UNROLL
                for (int h = 0; h < tile * kHeld / kSteps; ++h) {
                    const int t = h / (kHeld / kSteps), first = h % (kHeld / kSteps) * kSteps;
                    const auto four = load_steps(q + t * kBlock + 4 * (j + first));
                    TINYLLM_UNROLL
                    for (int s = 0; s < kSteps; ++s) {
                        TINYLLM_UNROLL
                        for (int p = 0; p < panels; ++p)
                            Product::step(dot[p][t], v[p][first + s], step_of(four, s));
                    }
                }
            }
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) {
                const F d = block_scale<type>(w + p * stride, b, part);
                const Factors<tile> factors(x.scales + at);
                TINYLLM_UNROLL
                for (int t = 0; t < tile; ++t) {
                    const I sum = Product::template finish<kOffset>(dot[p][t], offsets + t * kParts);
                    acc[p][t] = factors.fma_by(mul(sum_to_float<kShift<type>>(sum), d), t, acc[p][t]);
                }
            }
        }
        if constexpr (W::kMinimum) {
            TINYLLM_UNROLL
            for (int p = 0; p < panels; ++p) {
                const F m = block_scale<type>(w + p * stride, b, 1);
                const Factors<tile> factors(x.sums + at);
                TINYLLM_UNROLL
                for (int t = 0; t < tile; ++t) acc[p][t] = factors.fma_by(m, t, acc[p][t]);
            }
        }
    }
    TINYLLM_UNROLL
    for (int t = 0; t < tile; ++t) {
        TINYLLM_UNROLL
        for (int p = 0; p < panels; ++p) store(out + t * ld + p * kLanes, acc[p][t]);
    }
}

/// Panels that share each load of activations: few tokens leave registers for several, many for one.
constexpr int panels_at_once(int width) {
    return in_pairs(width) ? 1 : width == 1 ? kRowPanels : width > 4 ? kWidePanels : kIntPanels;
}

/// A tile wider than kIntColumns goes through in parts, so that two panels share each broadcast and the sums
/// stay in registers.
template <int type, int panels, int width>
TINYLLM_INLINE void int_columns_of(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out,
                                   int64_t ld) {
    constexpr int kMost = in_pairs(width) ? kPairColumns : kIntColumns;
    constexpr int kColumns = width <= kMost ? width : kMost;
    static_assert(width % kColumns == 0);
    for (int t = 0; t < width; t += kColumns) {
        const int64_t at = scale_at(0, t, width);
        const IntTile part{x.q + t * kBlock, x.scales + at,    x.sums + at,         x.offsets_q8 + t,
                           x.offsets_q4 + t, x.offsets_q5 + t, x.offsets_q6 + 2 * t};
        if constexpr (in_pairs(width)) {
            int_pairs<type, kColumns, width>(w, blocks, part, out + t * ld, ld);
        } else {
            int_block<type, panels, kColumns, width>(w, stride, blocks, part, out + t * ld, ld);
        }
    }
}

template <int type, int tile>
void int_panels_of(const Panels* w, int64_t first, int n_panels, IntTile x, float* out, int64_t ld) {
    const uint8_t* data = w->data + first * w->stride;
    const int64_t blocks = w->cols / kBlock;
    constexpr int kPanels = panels_at_once(tile);
    int p = 0;
    for (; p + kPanels <= n_panels; p += kPanels) {
        int_columns_of<type, kPanels, tile>(data + p * w->stride, w->stride, blocks, x, out + p * kLanes, ld);
    }
    if constexpr (kPanels > 1) {
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
    with_quantized(w->type, [&](auto form) {
        int_tile_of<decltype(form)::kType>(w, first, n_panels, x, tile, out, ld);
    });
}

template <int type>
void unpack_plain(const uint8_t* data, int64_t cols, float* out) {
    for (int64_t k = 0; k < cols; ++k, out += kLanes) store(out, weight<type>(data, k * kLanes));
}

/// Four consecutive elements of each row from their bytes: scale * (byte - offset) + minimum.
template <bool minimum>
TINYLLM_INLINE void store_four(I bytes, int32_t offset, F d, F m, float* out) {
    const I parts[4] = {bytes, shift_right<8>(bytes), shift_right<16>(bytes), shift_right<24>(bytes)};
    TINYLLM_UNROLL
    for (int i = 0; i < 4; ++i, out += kLanes) {
        const F x = mul(to_float(sub_i(and_i(parts[i], set1_i(0xff)), set1_i(offset))), d);
        store(out, minimum ? add(x, m) : x);
    }
}

/// Block b of a panel of `blocks`.
template <int type>
TINYLLM_INLINE void unpack_block(const uint8_t* panel, int64_t blocks, int64_t b, float* out) {
    typedef Form<type> W;
    // Signed bytes become unsigned by flipping the top bit, which is the same as adding 128.
    constexpr bool kSigned = W::kOffset == 0 && !W::kMinimum;
    const I flip = set1_i(kSigned ? static_cast<int32_t>(0x80808080u) : 0);
    constexpr int32_t kOffset = kSigned ? 128 : W::kOffset;
    const uint8_t* block = panel + scale_bytes<type>(blocks) + b * W::kBytes * kLanes;
    const F m = W::kMinimum ? block_scale<type>(panel, b, 1) : zero();
    TINYLLM_UNROLL
    for (int j = 0; j < 8; ++j, out += 4 * kLanes) {
        F d = block_scale<type>(panel, b, W::kHalves ? j / 4 : 0);
        if constexpr (kShift<type> != 0) d = mul(d, set1(1.0f / (1 << kShift<type>)));
        store_four<W::kMinimum>(xor_i(W::bytes(block, j), flip), kOffset, d, m, out);
    }
}

template <int type>
void unpack_blocks(const uint8_t* panel, int64_t cols, float* out) {
    const int64_t blocks = cols / kBlock;
    for (int64_t b = 0; b < blocks; ++b, out += kBlock * kLanes) unpack_block<type>(panel, blocks, b, out);
}

void unpack_panel(const Panels* w, int64_t panel, float* out) {
    const uint8_t* data = w->data + panel * w->stride;
    switch (w->type) {
        case kF32:
            return unpack_plain<kF32>(data, w->cols, out);
        case kF16:
            return unpack_plain<kF16>(data, w->cols, out);
        case kBF16:
            return unpack_plain<kBF16>(data, w->cols, out);
        default:
            with_quantized(w->type,
                           [&](auto form) { unpack_blocks<decltype(form)::kType>(data, w->cols, out); });
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
