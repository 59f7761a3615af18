// Which tile for how many rows. The seam for tensor cores is here: what multiplies a strip by rows that are
// normed already, with an epilogue, is one function.
#include "kernels/cuda/device/gemm.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {
namespace {

struct GemmLaunch {
    void* stream;
    const GemmParams& p;

    template <typename Kernel>
    void run() const {
        const Grid grid{(p.n + Kernel::kTileRows - 1) / Kernel::kTileRows,
                        static_cast<int>((p.w.rows + Kernel::kOutputs - 1) / Kernel::kOutputs), 1};
        launch(stream, grid, Kernel::shared_bytes(), Kernel{p});
    }
    template <typename Format>
    void operator()(Format) const {
        if (p.n <= 16) {
            run<Gemm<Format, 1>>();
        } else {
            run<Gemm<Format, 4>>();
        }
    }
};

}  // namespace

void launch_gemm(void* stream, const GemmParams& p) {
    // A grid's second dimension ends at 65535.
    const int64_t kMost = int64_t{65535} * 64;
    for (int64_t first = 0; p.n > 0 && first < p.w.rows; first += kMost) {
        GemmParams part = p;
        part.w.first += first;
        part.w.rows = p.w.rows - first < kMost ? p.w.rows - first : kMost;
        part.epilogue.out += first;
        if (part.epilogue.bias) part.epilogue.bias += first;
        with_format(p.w.type, GemmLaunch{stream, part});
    }
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
