// Many rows of x, rounded to 16 bits (round_rows.h), times a matrix on tensor cores, summed in f32. Three
// tiles of 32 columns stand in shared memory: one is multiplied while the next has arrived and the one behind
// it is on its way. Weights of 16 bits are copied as they are stored; of quantized ones the packed words wait
// in registers during the multiplication and become halves behind it. A sum adds its columns in their order,
// 16 an instruction, whatever the tile, so a row's result is the same in any batch.
#pragma once

#include "kernels/cuda/device/epilogue.h"
#include "kernels/cuda/device/formats.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

constexpr int kTileOctets = 4;  // of a row in a tile
static_assert(kRoundedColumns % (kTileOctets * kOctet) == 0, "tiles of x need no bounds");

/// An octet of weights on its way to shared memory as 16 bits an element; Raw is what lies between.
template <typename Format>
struct TensorWeights {
    static constexpr bool kBf16 = false, kCopied = false;
    using Raw = typename Format::Raw;
    static TINYLLM_DEVICE Raw fetch(const TileView& w, int row, int octet) {
        return Format::fetch(w, row, octet);
    }
    static TINYLLM_DEVICE Words4 words(const Raw& raw, int octet) {
        float x[kOctet];
        Format::floats_of(Format::decode(raw, octet), x);
        Words4 to;
        TINYLLM_UNROLL
        for (int i = 0; i < 4; ++i) to.w[i] = float_to_halves(x[2 * i], x[2 * i + 1]);
        return to;
    }
};
template <bool kOfBf16>
struct CopiedWeights {
    static constexpr bool kBf16 = kOfBf16, kCopied = true;
    struct Raw {};
    static TINYLLM_DEVICE Raw fetch(const TileView&, int, int) { return Raw(); }
    static TINYLLM_DEVICE Words4 words(const Raw&, int) { return Words4(); }
};
template <>
struct TensorWeights<FormatF16> : CopiedWeights<false> {};
template <>
struct TensorWeights<FormatBf16> : CopiedWeights<true> {};

/// A block has kWarpsOut x kWarpsRows warps, each of them 16 kOut outputs by 8 kRows rows.
template <typename Format, int kWarpsOut, int kWarpsRows, int kOut, int kRows>
struct TensorGemm {
    using Weights = TensorWeights<Format>;
    using Raw = typename Weights::Raw;
    static constexpr int kThreads = kWarpsOut * kWarpsRows * kWarp;
    static constexpr int kOutputs = 16 * kOut * kWarpsOut, kTileRows = 8 * kRows * kWarpsRows;
    static constexpr int kStages = 3, kStage = (kOutputs + kTileRows) * kTileOctets;
    /// Octets that a thread brings of weights and of x, kThreads after one another.
    static constexpr int kWeights = kOutputs * kTileOctets / kThreads;
    static constexpr int kOfX = (kTileRows * kTileOctets + kThreads - 1) / kThreads;
    static_assert(kWeights * kThreads == kOutputs * kTileOctets && kRows % 2 == 0,
                  "whole octets, pairs of fragments");
    static_assert(kOutputs <= 128 && kTileRows <= 128, "within reach of TileView");
    GemmParams p;

    static int64_t shared_bytes() { return int64_t{kStages} * kStage * static_cast<int64_t>(sizeof(Words4)); }

    struct Sums {
        FragmentC of[kOut][kRows];
    };
    struct Operands {
        FragmentA a[kOut];
        FragmentB b[kRows];
    };
    struct Raws {
        Raw of[kWeights];
    };
    /// Where a thread's octets come from, counted in octets from the tiles' first, and its rows of matrices
    /// are.
    struct Places {
        int weights[kWeights], x[kOfX];
        int a[2], b[2];
    };

    TINYLLM_DEVICE void operator()(Block& block) const {
        if (!kTensorCores) return;
        const int64_t first_output = int64_t{block.y} * kOutputs, first_row = int64_t{block.x} * kTileRows;
        const TileView w = tile_of(p.w, first_output);
        const int pitch = static_cast<int>(rounded_pitch(p.w.cols) / kOctet), tiles = pitch / kTileOctets;
        const auto* x = reinterpret_cast<const Words4*>(p.rounded) + first_row * pitch;
        Shared<Words4> shared(block, kStages * kStage);
        PerThread<Sums> sums(block);
        PerThread<Operands> operands(block);
        PerThread<Raws> raws(block);
        PerThread<Places> places(block);
        block.each([&](int t) {
            find_places(t, p.w.rows - first_output, p.n - first_row, w.octets, pitch, places[t]);
            TINYLLM_UNROLL
            for (int i = 0; i < kOut; ++i) {
                TINYLLM_UNROLL
                for (int j = 0; j < kRows; ++j) sums[t].of[i][j] = FragmentC{{0, 0, 0, 0}};
            }
        });
        const auto begin = [&](int tile, int stage) {
            if (tile < tiles) {
                block.each([&](int t) { begin_tile(t, w, x, tile, stage, places[t], shared, raws[t]); });
            }
            block.commit_copies();
        };
        const auto end = [&](int tile, int stage) {
            if (Weights::kCopied || tile >= tiles) return;
            block.each([&](int t) { end_tile(t, tile, stage, shared, raws[t]); });
        };
        begin(0, 0);
        end(0, 0);
        begin(1, kStage);
        end(1, kStage);
        int stage = 0, next = 2 * kStage;
        TINYLLM_LOOP
        for (int tile = 0; tile < tiles; ++tile) {
            block.template wait_copies<1>();
            block.sync();  // this tile is there, and nobody reads the one before it any more
            begin(tile + 2, next);
            multiply(block, stage, shared, places, operands, sums);
            end(tile + 2, next);
            stage = stage == 2 * kStage ? 0 : stage + kStage;
            next = next == 2 * kStage ? 0 : next + kStage;
        }
        block.template wait_copies<0>();
        block.sync();
        finish(block, first_output, first_row, shared, sums);
    }

  private:
    /// Where an octet of a row lies in a tile: shifted so that eight rows' octets of the same columns, which
    /// an instruction reads together, stand in different banks. Eight rows on it is as many rows on.
    static TINYLLM_DEVICE int place(int row, int octet) {
        return row * kTileOctets + (octet ^ (row >> 1 & 3));
    }
    static constexpr int kX = kOutputs * kTileOctets;  // rows of x come behind those of weights
    static constexpr int kRowsApart = kThreads / kTileOctets;
    static_assert(kRowsApart % 8 == 0, "place() of a thread's octets are kThreads apart");

    /// Rows behind the last of the matrix and of x are the last once more; what comes of them is not stored.
    static TINYLLM_DEVICE void find_places(int t, int64_t outputs, int64_t rows, int octets, int pitch,
                                           Places& places) {
        const int row = t / kTileOctets, octet = t % kTileOctets, warp = t / kWarp, lane = t % kWarp;
        TINYLLM_UNROLL
        for (int e = 0; e < kWeights; ++e) {
            const int output = row + e * kRowsApart;
            const int at = output < outputs ? output : static_cast<int>(outputs) - 1;
            places.weights[e] = Weights::kCopied ? at * octets + octet : at;
        }
        TINYLLM_UNROLL
        for (int e = 0; e < kOfX; ++e) {
            const int of_x = row + e * kRowsApart;
            places.x[e] = (of_x < rows ? of_x : static_cast<int>(rows) - 1) * pitch + octet;
        }
        TINYLLM_UNROLL
        for (int half = 0; half < 2; ++half) {
            // A fragment a is four matrices: upper and lower rows of the first eight columns, then of the
            // others. Two fragments b: both halves of the columns of eight rows, then of the next eight.
            places.a[half] = place(warp % kWarpsOut * kOut * 16 + lane % 16, 2 * half + lane / 16);
            places.b[half] =
                kX + place(warp / kWarpsOut * kRows * 8 + lane / 16 * 8 + lane % 8, 2 * half + lane / 8 % 2);
        }
    }

    TINYLLM_DEVICE static void begin_tile(int t, const TileView& w, const Words4* x, int tile, int stage,
                                          const Places& places, Shared<Words4>& shared, Raws& raws) {
        const int octet = tile * kTileOctets + t % kTileOctets;
        const int to = stage + place(t / kTileOctets, t % kTileOctets);
        TINYLLM_UNROLL
        for (int e = 0; e < kOfX; ++e) {
            if (kOfX == 1 && t >= kTileRows * kTileOctets) continue;
            shared.copy(t, kX + to + e * kThreads, x + (places.x[e] + tile * kTileOctets), true);
        }
        const auto* levels = reinterpret_cast<const Words4*>(w.levels);
        TINYLLM_UNROLL
        for (int e = 0; e < kWeights; ++e) {
            if (Weights::kCopied) {
                shared.copy(t, to + e * kThreads, levels + (places.weights[e] + tile * kTileOctets),
                            octet < w.octets);
            } else {  // of blocks of 32 columns or more, so all of the tile is there
                raws.of[e] = Weights::fetch(w, places.weights[e], octet);
            }
        }
    }
    TINYLLM_DEVICE static void end_tile(int t, int tile, int stage, Shared<Words4>& shared,
                                        const Raws& raws) {
        const int to = stage + place(t / kTileOctets, t % kTileOctets);
        TINYLLM_UNROLL
        for (int e = 0; e < kWeights; ++e) {
            shared.set(t, to + e * kThreads,
                       Weights::words(raws.of[e], tile * kTileOctets + t % kTileOctets));
        }
    }

    TINYLLM_DEVICE static void multiply(Block& block, int stage, Shared<Words4>& shared,
                                        PerThread<Places>& places, PerThread<Operands>& operands,
                                        PerThread<Sums>& sums) {
        TINYLLM_UNROLL
        for (int half = 0; half < 2; ++half) {
            TINYLLM_UNROLL
            for (int i = 0; i < kOut; ++i) {
                block.load_matrices(
                    shared, [&](int t) { return stage + places[t].a[half]; }, i * 16 * kTileOctets,
                    [&](int t) -> uint32_t* { return operands[t].a[i].w; });
            }
            TINYLLM_UNROLL
            for (int j = 0; j < kRows; j += 2) {
                PerThread<FragmentA> pair(block);
                block.load_matrices(
                    shared, [&](int t) { return stage + places[t].b[half]; }, j * 8 * kTileOctets,
                    [&](int t) -> uint32_t* { return pair[t].w; });
                block.each([&](int t) {
                    operands[t].b[j] = FragmentB{{pair[t].w[0], pair[t].w[1]}};
                    operands[t].b[j + 1] = FragmentB{{pair[t].w[2], pair[t].w[3]}};
                });
            }
            TINYLLM_UNROLL
            for (int i = 0; i < kOut; ++i) {
                TINYLLM_UNROLL
                for (int j = 0; j < kRows; ++j) {
                    block.template multiply<Weights::kBf16>(
                        [&](int t) -> const FragmentA& { return operands[t].a[i]; },
                        [&](int t) -> const FragmentB& { return operands[t].b[j]; },
                        [&](int t) -> FragmentC& { return sums[t].of[i][j]; });
                }
            }
        }
    }

    /// By way of the thread's own place in shared memory, since registers have no index: so the epilogue with
    /// all its activations stands in the code but a few times.
    TINYLLM_DEVICE void finish(Block& block, int64_t first_output, int64_t first_row, Shared<Words4>& shared,
                               PerThread<Sums>& sums) const {
        constexpr int kFragments = kOut * kRows, kPart = kFragments < 16 ? kFragments : 16;
        static_assert(kFragments % kPart == 0 && kPart * kThreads <= kStages * kStage, "parts that fit");
        TINYLLM_UNROLL
        for (int part = 0; part < kFragments; part += kPart) {
            block.each([&](int t) {
                TINYLLM_UNROLL
                for (int f = 0; f < kPart; ++f) {
                    const FragmentC& c = sums[t].of[(part + f) / kRows][(part + f) % kRows];
                    Words4 words;
                    TINYLLM_UNROLL
                    for (int e = 0; e < 4; ++e) words.w[e] = float_to_bits(c.x[e]);
                    shared.set(t, f * kThreads + t, words);
                }
                const int warp = t / kWarp, lane = t % kWarp;
                TINYLLM_LOOP
                for (int f = 0; f < kPart; ++f) {
                    const int i = (part + f) / kRows, j = (part + f) % kRows;
                    const int64_t output = first_output + (warp % kWarpsOut * kOut + i) * 16 + lane / 4;
                    const int64_t row = first_row + (warp / kWarpsOut * kRows + j) * 8 + lane % 4 * 2;
                    const Words4 words = shared.get(t, f * kThreads + t);
                    TINYLLM_UNROLL
                    for (int e = 0; e < 4; ++e) {
                        if (row + e % 2 >= p.n || output + e / 2 * 8 >= p.w.rows) continue;
                        const float y = bits_to_float(words.w[e]) * p.scales[row + e % 2];
                        store(p.epilogue, row + e % 2, output + e / 2 * 8, y);
                    }
                }
            });
        }
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
