// Which matvec for which type and number of rows.
#include "kernels/cuda/device/matvec.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {
namespace {

struct MatvecLaunch {
    void* stream;
    const MatvecParams& p;

    template <typename Kernel>
    void run() const {
        int64_t blocks = (p.w.rows + Kernel::kWarps - 1) / Kernel::kWarps;
        if (blocks > p.blocks) blocks = p.blocks;
        launch(stream, Grid{blocks, 1, 1}, Kernel::shared_bytes(p.w.cols), Kernel{p});
    }
    template <typename Format, template <int> class Rows>
    void rows() const {
        if (p.n == 1) {
            run<Matvec<Format, Rows, 1>>();
        } else {
            run<Matvec<Format, Rows, kMatvecRows>>();
        }
    }
    // A format's own kind, so that none is made that nobody launches.
    template <typename Format, MatvecBy>
    struct Choice {
        static void run(const MatvecLaunch& l) { l.rows<Format, FloatRows>(); }
    };
    template <typename Format>
    struct Choice<Format, MatvecBy::halves> {
        static void run(const MatvecLaunch& l) { l.rows<Format, HalfRows>(); }
    };
    template <typename Format>
    struct Choice<Format, MatvecBy::bytes> {
        static void run(const MatvecLaunch& l) {
            if (l.p.by == MatvecBy::halves) {
                l.rows<Format, HalfRows>();
            } else {
                l.rows<Format, ByteRows>();
            }
        }
    };
    template <typename Format>
    void operator()(Format) const {
        Choice<Format, Format::kBy>::run(*this);
    }
};

}  // namespace

void launch_matvec(void* stream, const MatvecParams& p) {
    if (p.n > 0 && p.w.rows > 0) with_format(p.w.type, MatvecLaunch{stream, p});
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
