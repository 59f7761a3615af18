// Many rows of x times a matrix, by tiles in shared memory: 64 outputs by 16 kRows rows, 32 columns at a
// time, each thread four outputs of kRows rows. A sum adds its columns in their order, whatever the tile, so
// a row's result is the same in any batch.
#pragma once

#include "kernels/cuda/device/epilogue.h"
#include "kernels/cuda/device/formats.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

template <typename Format, int kRows>
struct Gemm {
    static constexpr int kThreads = 256;
    static constexpr int kOutputs = 64, kTileRows = 16 * kRows, kColumns = 32;
    // A row of a tile is one column of the matrix, longer by a vector so that its writers meet other banks.
    static constexpr int kOutputPitch = kOutputs + 4, kRowPitch = kTileRows + 4;
    GemmParams p;

    static int64_t shared_bytes() { return int64_t{kColumns} * (kOutputPitch + kRowPitch) * 4; }

    struct Sums {
        float of[kRows][4];
    };

    TINYLLM_DEVICE void operator()(Block& block) const {
        const WeightView w = view_of(p.w);
        const int64_t first_output = int64_t{block.y} * kOutputs, first_row = int64_t{block.x} * kTileRows;
        Shared<float> outputs(block, kColumns * kOutputPitch), rows(block, kColumns * kRowPitch);
        PerThread<Sums> sums(block);
        block.each([&](int t) {
            TINYLLM_UNROLL
            for (int i = 0; i < kRows; ++i) {
                TINYLLM_UNROLL
                for (int j = 0; j < 4; ++j) sums[t].of[i][j] = 0;
            }
        });
        for (int64_t column = 0; column < p.w.cols; column += kColumns) {
            block.each([&](int t) {
                fill_outputs(t, w, first_output, column, outputs);
                fill_rows(t, first_row, column, rows);
            });
            block.sync();
            block.each([&](int t) { multiply(t, outputs, rows, sums[t]); });
            block.sync();
        }
        block.each([&](int t) {
            TINYLLM_UNROLL
            for (int i = 0; i < kRows; ++i) {
                const int64_t row = first_row + t / 16 * kRows + i;
                if (row >= p.n) continue;
                TINYLLM_UNROLL
                for (int j = 0; j < 4; ++j) {
                    const int64_t output = first_output + t % 16 * 4 + j;
                    if (output < p.w.rows) store(p.epilogue, row, output, sums[t].of[i][j]);
                }
            }
        });
    }

  private:
    /// An octet per thread.
    TINYLLM_DEVICE void fill_outputs(int t, const WeightView& w, int64_t first, int64_t column,
                                     Shared<float>& outputs) const {
        const int output = t % kOutputs, octet = t / kOutputs;
        float x[kOctet];
        if (first + output < p.w.rows && column / kOctet + octet < w.octets) {
            Format::floats(w, p.w.first + first + output, column / kOctet + octet, x);
        } else {
            TINYLLM_UNROLL
            for (int i = 0; i < kOctet; ++i) x[i] = 0;
        }
        TINYLLM_UNROLL
        for (int i = 0; i < kOctet; ++i) outputs.set(t, (octet * kOctet + i) * kOutputPitch + output, x[i]);
    }

    TINYLLM_DEVICE void fill_rows(int t, int64_t first, int64_t column, Shared<float>& rows) const {
        TINYLLM_UNROLL
        for (int e = 0; e < kTileRows * kColumns; e += kThreads) {
            const int row = (e + t) / kColumns, c = (e + t) % kColumns;
            const bool inside = first + row < p.n && column + c < p.w.cols;
            rows.set(t, c * kRowPitch + row, inside ? p.x[(first + row) * p.w.cols + column + c] : 0.0f);
        }
    }

    TINYLLM_DEVICE void multiply(int t, Shared<float>& outputs, Shared<float>& rows, Sums& sums) const {
        TINYLLM_UNROLL
        for (int c = 0; c < kColumns; ++c) {
            float w[4], x[4];
            outputs.get4(t, c * kOutputPitch + t % 16 * 4, w);
            if (kRows == 4) {
                rows.get4(t, c * kRowPitch + t / 16 * 4, x);
            } else {
                x[0] = rows.get(t, c * kRowPitch + t / 16);
            }
            TINYLLM_UNROLL
            for (int i = 0; i < kRows; ++i) {
                TINYLLM_UNROLL
                for (int j = 0; j < 4; ++j) sums.of[i][j] = fmaf(w[j], x[i], sums.of[i][j]);
            }
        }
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
