// Kernels that multiply no matrices: embed, norm, gate times up, score, copies.
#include "kernels/cuda/device/formats.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {
namespace {

/// A block per token, a thread per octet.
template <typename Format>
struct Embed {
    static constexpr int kThreads = 128;
    EmbedParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const WeightView table = view_of(p.table);
        const int64_t row = p.tokens[block.x] - p.offset;
        if (row < 0 || row >= p.table.rows) return;  // another strip's
        float* out = p.out + block.x * p.table.cols;
        block.each([&](int t) {
            for (int64_t octet = t; octet < table.octets; octet += kThreads) {
                float x[kOctet];
                Format::floats(table, p.table.first + row, octet, x);
                TINYLLM_UNROLL
                for (int i = 0; i < kOctet; ++i) {
                    const int64_t at = octet * kOctet + i;
                    if (at >= p.table.cols) continue;
                    const float y = x[i] * p.scale;
                    out[at] = p.add ? out[at] + y : y;
                }
            }
        });
    }
};

/// A warp per row.
struct NormRows {
    static constexpr int kThreads = 128;
    NormRowsParams p;

    TINYLLM_DEVICE int row(const Block& block, int t) const {
        return block.x * (kThreads / kWarp) + t / kWarp;
    }
    TINYLLM_DEVICE const float* input(const Block& block, int t) const {
        const int i = row(block, t);
        return i < p.n ? p.x + (p.rows ? p.rows[i] : i) * p.dim : nullptr;
    }
    TINYLLM_DEVICE void operator()(Block& block) const {
        PerThread<RowNorm> stats(block);
        norm_stats(
            block, p.norm, p.dim, [&](int t) { return input(block, t); },
            [&](int t) -> RowNorm& { return stats[t]; });
        block.sync_warps();  // out may be x
        block.each([&](int t) {
            const float* x = input(block, t);
            if (!x) return;
            float* out = p.out + row(block, t) * p.dim;
            for (int64_t i = t % kWarp; i < p.dim; i += kWarp) out[i] = normed(p.norm, stats[t], x[i], i);
        });
    }
};

struct Glu {
    static constexpr int kThreads = 256;
    GluParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const float* gate = p.both + block.y * 2 * p.ff;
        block.each([&](int t) {
            const int64_t i = int64_t{block.x} * kThreads + t;
            if (i < p.ff) p.out[block.y * p.ff + i] = activate(p.activation, gate[i]) * gate[p.ff + i];
        });
    }
};

/// A block per row. Sums in double: a vocabulary has more terms than a float has room for.
struct Score {
    static constexpr int kThreads = 256;
    static constexpr int kWarps = kThreads / kWarp;
    ScoreParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const float* row = p.logits + block.x * p.vocab;
        Shared<float> tops(block, kWarps);
        Shared<int> places(block, kWarps);
        Shared<double> totals(block, kWarps);
        PerThread<float> top(block);
        PerThread<int> place(block);
        PerThread<double> total(block);
        block.each([&](int t) {
            top[t] = kMinusInfinity;
            for (int64_t i = t; i < p.vocab; i += kThreads) top[t] = Largest()(top[t], row[i]);
        });
        block.warp_reduce([&](int t) -> float& { return top[t]; }, Largest());
        block.each([&](int t) {
            if (t % kWarp == 0) tops.set(t, t / kWarp, top[t]);
        });
        block.sync();
        block.each([&](int t) {
            for (int w = 0; w < kWarps; ++w) top[t] = Largest()(top[t], tops.get(t, w));
            place[t] = static_cast<int>(p.vocab);
            total[t] = 0;
            for (int64_t i = t; i < p.vocab; i += kThreads) {
                if (row[i] == top[t] && place[t] > i) place[t] = static_cast<int>(i);
                total[t] += static_cast<double>(expf(row[i] - top[t]));
            }
        });
        block.warp_reduce([&](int t) -> int& { return place[t]; }, Smallest());
        block.warp_reduce([&](int t) -> double& { return total[t]; }, Sum());
        block.each([&](int t) {
            if (t % kWarp != 0) return;
            places.set(t, t / kWarp, place[t]);
            totals.set(t, t / kWarp, total[t]);
        });
        block.sync();
        block.each([&](int t) {
            if (t != 0) return;
            int first = static_cast<int>(p.vocab);
            double sum = 0;
            for (int w = 0; w < kWarps; ++w) {
                first = Smallest()(first, places.get(t, w));
                sum += totals.get(t, w);
            }
            // No logit equals the largest where one is no number.
            p.argmax[block.x] = first < p.vocab ? first : 0;
            p.logprobs[block.x] =
                static_cast<float>(static_cast<double>(row[p.targets[block.x]]) - top[t] - log(sum));
        });
    }
};

struct Copy {
    static constexpr int kThreads = 256;
    CopyParams p;

    TINYLLM_DEVICE void operator()(Block& block) const {
        const auto* from = reinterpret_cast<const uint16_t*>(p.from + block.x * p.stride);
        auto* to = reinterpret_cast<uint16_t*>(p.to + block.x * p.stride);
        block.each([&](int t) {
            for (int64_t i = t; i < p.bytes / 2; i += kThreads) to[i] = from[i];
        });
    }
};

struct EmbedLaunch {
    void* stream;
    const EmbedParams& p;
    template <typename Format>
    void operator()(Format) const {
        launch(stream, Grid{p.n, 1, 1}, 0, Embed<Format>{p});
    }
};

}  // namespace

void launch_embed(void* stream, const EmbedParams& p) {
    if (p.n > 0) with_format(p.table.type, EmbedLaunch{stream, p});
}

void launch_norm(void* stream, const NormRowsParams& p) {
    const int per_block = NormRows::kThreads / kWarp;
    if (p.n > 0) launch(stream, Grid{(p.n + per_block - 1) / per_block, 1, 1}, 0, NormRows{p});
}

void launch_glu(void* stream, const GluParams& p) {
    constexpr int kRowsAtOnce = 32768;  // of a grid's second dimension
    for (int first = 0; first < p.n; first += kRowsAtOnce) {
        GluParams part = p;
        part.n = p.n - first < kRowsAtOnce ? p.n - first : kRowsAtOnce;
        part.both += first * 2 * p.ff;
        part.out += first * p.ff;
        launch(stream, Grid{(p.ff + Glu::kThreads - 1) / Glu::kThreads, part.n, 1}, 0, Glu{part});
    }
}

void launch_score(void* stream, const ScoreParams& p) {
    if (p.n > 0) launch(stream, Grid{p.n, 1, 1}, 3 * 64, Score{p});
}

void launch_copy(void* stream, const CopyParams& p) {
    if (p.heads > 0 && p.bytes > 0) launch(stream, Grid{p.heads, 1, 1}, 0, Copy{p});
}

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
