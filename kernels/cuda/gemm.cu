// Which kernel and which tile for how many rows: what multiplies a strip by rows that are normed already,
// with an epilogue, is one function.
#include "kernels/cuda/device/gemm.h"

#include "kernels/cuda/device/round_rows.h"
#include "kernels/cuda/device/tensor_gemm.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {
namespace {

template <typename Kernel>
void run(void* stream, const GemmParams& p) {
    const Grid grid{(p.n + Kernel::kTileRows - 1) / Kernel::kTileRows,
                    static_cast<int>((p.w.rows + Kernel::kOutputs - 1) / Kernel::kOutputs), 1};
    launch(stream, grid, Kernel::shared_bytes(), Kernel{p});
}

struct GemmLaunch {
    void* stream;
    const GemmParams& p;

    template <typename Format>
    void operator()(Format) const {
        if (p.n <= 16) {
            run<Gemm<Format, 1>>(stream, p);
        } else {
            run<Gemm<Format, 4>>(stream, p);
        }
    }
};

/// All tiles give the same bits, so the choice is free.
struct TensorGemmLaunch {
    void* stream;
    const GemmParams& p;

    void operator()(FormatF32) const {}  // rounded_for() says none
    template <typename Format>
    void operator()(Format) const {
        // The largest tile reads shared memory least for a product, but has to be dealt out evenly.
        const int64_t largest = (p.w.rows + 127) / 128 * ((p.n + 127) / 128);
        if (p.n <= 16) {
            run<TensorGemm<Format, 4, 1, 1, 2>>(stream, p);
        } else if (p.n <= 32) {
            run<TensorGemm<Format, 2, 2, 2, 2>>(stream, p);
        } else if (p.n <= 64 || largest < 4 * int64_t{p.multiprocessors}) {
            run<TensorGemm<Format, 2, 2, 2, 4>>(stream, p);
        } else {
            run<TensorGemm<Format, 2, 2, 4, 8>>(stream, p);
        }
    }
};

}  // namespace

void launch_round_rows(void* stream, const RoundRowsParams& p) {
    if (p.n == 0) return;
    const Grid grid{(p.n + 3) / 4, 1, 1};
    if (p.to == Rounded::bf16) {
        launch(stream, grid, 0, RoundRows<true>{p});
    } else {
        launch(stream, grid, 0, RoundRows<false>{p});
    }
}

void launch_gemm(void* stream, const GemmParams& p) {
    // A grid's second dimension ends at 65535.
    const int64_t kMost = int64_t{65535} * 64;
    for (int64_t first = 0; p.n > 0 && first < p.w.rows; first += kMost) {
        GemmParams part = p;
        part.w.first += first;
        part.w.rows = p.w.rows - first < kMost ? p.w.rows - first : kMost;
        part.epilogue.out += first;
        if (part.epilogue.bias) part.epilogue.bias += first;
        if (p.rounded) {
            with_format(p.w.type, TensorGemmLaunch{stream, part});
        } else {
            with_format(p.w.type, GemmLaunch{stream, part});
        }
    }
}

int code_capability() {
    return compiled_capability<RoundRows<false>>();
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
