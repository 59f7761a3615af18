// The specification of every op: scalar, one thread, sums in double, rounded to f32 where an op stores its
// result.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "kernels/backend.h"
#include "kernels/quant.h"
#include "kernels/ref/matrix.h"

namespace tinyllm {
namespace {

using std::int32_t;
using std::int64_t;
using std::size_t;

double activate(Activation activation, double x) {
    constexpr double kSqrtHalf = 0.70710678118654752440;
    constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::relu:
            return x < 0 ? 0 : x;
        case Activation::silu:
            return x / (1 + std::exp(-x));
        // Both with the tail computed directly: 1 + erf and 1 + tanh lose every digit of it.
        case Activation::gelu:
            return 0.5 * x * std::erfc(-x * kSqrtHalf);
        case Activation::gelu_tanh:
            return x / (1 + std::exp(-2 * kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
        case Activation::relu_squared:
            return x < 0 ? 0 : x * x;
    }
    return x;
}

/// (dim) to (dim); `x` may be `out`.
void norm_row(const Norm& norm, const float* x, int64_t dim, float* out) {
    if (norm.kind == NormKind::none) {
        if (out != x) std::copy_n(x, dim, out);
        return;
    }
    double mean = 0;
    if (norm.kind == NormKind::layer) {
        for (int64_t i = 0; i < dim; ++i) mean += x[i];
        mean /= static_cast<double>(dim);
    }
    double squares = 0;
    for (int64_t i = 0; i < dim; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(norm.eps));
    for (int64_t i = 0; i < dim; ++i) {
        const double y = (x[i] - mean) * inverse * norm.weight[i];
        out[i] = static_cast<float>(norm.bias ? y + norm.bias[i] : y);
    }
}

/// Normalised copies of rows of x, (n, dim).
std::vector<float> norm_rows(const Norm& norm, const float* x, int64_t n, int64_t dim) {
    std::vector<float> out(static_cast<size_t>(n * dim));
    for (int64_t i = 0; i < n; ++i) norm_row(norm, x + i * dim, dim, out.data() + i * dim);
    return out;
}

/// out(i, r) = w(r) . x(i) + bias(r) for every row r of w, handed to `store(i, r, value)`.
template <typename Store>
void multiply(const Matrix& w, const float* bias, const std::vector<float>& x, int64_t n,
              const Store& store) {
    std::vector<float> row(static_cast<size_t>(w.cols));
    for (int64_t r = 0; r < w.rows; ++r) {
        ref::read_row(w, r, row.data());
        for (int64_t i = 0; i < n; ++i) {
            const float* xi = x.data() + i * w.cols;
            double sum = 0;
            for (int64_t c = 0; c < w.cols; ++c)
                sum += static_cast<double>(row[static_cast<size_t>(c)]) * xi[c];
            store(i, r, bias ? sum + bias[r] : sum);
        }
    }
}

/// One head of one row, in place.
void rotate(const Rope& rope, int64_t position, float* head) {
    const int64_t half = rope.dims / 2;
    const float* cos = rope.cos + position * half;
    const float* sin = rope.sin + position * half;
    for (int64_t i = 0; i < half; ++i) {
        const double a = head[i];
        const double b = head[i + half];
        head[i] = static_cast<float>(a * cos[i] - b * sin[i]);
        head[i + half] = static_cast<float>(b * cos[i] + a * sin[i]);
    }
}

double relative_bias(const RelativeBias& bias, int64_t head, int64_t distance) {
    const int64_t span = bias.span;
    return bias.values[head * (2 * span + 1) + std::clamp(distance, -span, span) + span];
}

/// Where head `head` of cache position `position` lies.
std::byte* cache_row(std::byte* const* blocks, DType type, const KvLayer& kv, const Segment& segment,
                     int64_t position, int64_t head) {
    std::byte* block = blocks[segment.blocks[position / kKvBlock]];
    const int64_t row = head * kKvBlock + position % kKvBlock;
    return block + static_cast<size_t>(row) * row_bytes(type, kv.head_dim);
}

class RefBackend final : public Backend {
  public:
    std::string name() const override { return "ref"; }
    std::string description() const override { return "scalar reference, 1 thread"; }
    int threads() const override { return 1; }

    std::shared_ptr<std::byte> allocate(size_t bytes) override { return ref::allocate(bytes); }
    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override {
        return ref::pack(parts, watch);
    }

    void embed(const EmbedArgs& args) override {
        const int64_t dim = args.table->cols;
        std::vector<float> position(static_cast<size_t>(dim));
        for (int64_t i = 0; i < args.n; ++i) {
            float* out = args.out + i * dim;
            ref::read_row(*args.table, args.tokens[i], out);
            for (int64_t c = 0; c < dim; ++c) out[c] *= args.scale;
            if (!args.position_table) continue;
            ref::read_row(*args.position_table, args.positions[i], position.data());
            for (int64_t c = 0; c < dim; ++c) out[c] += position[static_cast<size_t>(c)];
        }
    }

    void norm(const NormArgs& args) override {
        for (int64_t i = 0; i < args.n; ++i) {
            norm_row(args.norm, args.x + i * args.dim, args.dim, args.out + i * args.dim);
        }
    }

    void linear(const LinearArgs& args) override {
        const Matrix& w = *args.w;
        multiply(w, args.bias, norm_rows(args.norm, args.x, args.n, w.cols), args.n,
                 [&](int64_t i, int64_t r, double y) {
                     float& out = args.out[i * w.rows + r];
                     const double value = activate(args.activation, y);
                     out = static_cast<float>(args.accumulate ? out + value : value);
                 });
    }

    void glu(const GluArgs& args) override {
        const int64_t ff = args.w->rows / 2;
        std::vector<double> gate(static_cast<size_t>(args.n * ff));
        multiply(*args.w, args.bias, norm_rows(args.norm, args.x, args.n, args.w->cols), args.n,
                 [&](int64_t i, int64_t r, double y) {
                     if (r < ff) {
                         gate[static_cast<size_t>(i * ff + r)] = activate(args.activation, y);
                     } else {
                         const int64_t at = i * ff + r - ff;
                         args.out[at] = static_cast<float>(gate[static_cast<size_t>(at)] * y);
                     }
                 });
    }

    void qkv(const QkvArgs& args) override {
        const int64_t rows = args.w->rows;
        const int64_t head_dim = args.kv.head_dim;
        std::vector<float> all(static_cast<size_t>(args.n * rows));
        multiply(*args.w, args.bias, norm_rows(args.norm, args.x, args.n, args.w->cols), args.n,
                 [&](int64_t i, int64_t r, double y) {
                     all[static_cast<size_t>(i * rows + r)] = static_cast<float>(y);
                 });
        for (const Segment& segment : args.segments) {
            for (int64_t i = 0; i < segment.n_rows; ++i) {
                const int64_t row = segment.first_row + i;
                const int64_t position = segment.start + i;
                float* q = all.data() + row * rows;
                float* k = q + args.n_heads * head_dim;
                float* v = k + args.kv.n_kv_heads * head_dim;
                if (args.rope.dims) {
                    for (float* head = q; head != v; head += head_dim) rotate(args.rope, position, head);
                }
                std::copy(q, k, args.q + row * args.n_heads * head_dim);
                for (int64_t h = 0; h < args.kv.n_kv_heads; ++h) {
                    traits(args.kv.k_type)
                        .from_f32(k + h * head_dim,
                                  cache_row(args.kv.k_blocks, args.kv.k_type, args.kv, segment, position, h),
                                  head_dim);
                    traits(args.kv.v_type)
                        .from_f32(v + h * head_dim,
                                  cache_row(args.kv.v_blocks, args.kv.v_type, args.kv, segment, position, h),
                                  head_dim);
                }
            }
        }
    }

    void attend(const AttendArgs& args) override {
        const KvLayer& kv = args.kv;
        const int64_t group = args.n_heads / kv.n_kv_heads;
        std::vector<float> read(static_cast<size_t>(kv.head_dim));
        std::vector<double> weights;
        std::vector<double> mix(static_cast<size_t>(kv.head_dim));
        for (const Segment& segment : args.segments) {
            for (int64_t i = 0; i < segment.n_rows; ++i) {
                const int64_t position = segment.start + i;
                const int64_t first = args.window > 0 ? std::max<int64_t>(0, position - args.window + 1) : 0;
                const int64_t end = segment.n_keys > 0 ? segment.n_keys : position + 1;
                for (int64_t h = 0; h < args.n_heads; ++h) {
                    const int64_t at = ((segment.first_row + i) * args.n_heads + h) * kv.head_dim;
                    weights.clear();
                    for (int64_t j = first; j < end; ++j) {
                        traits(kv.k_type).to_f32(cache_row(kv.k_blocks, kv.k_type, kv, segment, j, h / group),
                                                 read.data(), kv.head_dim);
                        double dot = 0;
                        for (int64_t c = 0; c < kv.head_dim; ++c) {
                            dot += static_cast<double>(args.q[at + c]) * read[static_cast<size_t>(c)];
                        }
                        dot *= static_cast<double>(args.scale);
                        if (args.alibi)
                            dot += static_cast<double>(args.alibi[h]) * static_cast<double>(j - position);
                        if (args.relative.values) dot += relative_bias(args.relative, h, j - position);
                        weights.push_back(dot);
                    }
                    const double top = *std::max_element(weights.begin(), weights.end());
                    double total = 0;
                    for (double& weight : weights) total += weight = std::exp(weight - top);
                    std::fill(mix.begin(), mix.end(), 0.0);
                    for (int64_t j = first; j < end; ++j) {
                        traits(kv.v_type).to_f32(cache_row(kv.v_blocks, kv.v_type, kv, segment, j, h / group),
                                                 read.data(), kv.head_dim);
                        const double weight = weights[static_cast<size_t>(j - first)] / total;
                        for (size_t c = 0; c < mix.size(); ++c) mix[c] += weight * read[c];
                    }
                    for (size_t c = 0; c < mix.size(); ++c)
                        args.out[at + static_cast<int64_t>(c)] = static_cast<float>(mix[c]);
                }
            }
        }
    }

    void logits(const LogitsArgs& args) override {
        const Matrix& head = *args.head;
        const auto n = static_cast<int64_t>(args.rows.size());
        multiply(head, args.bias, asked_rows(args.x, args.rows, args.norm, head.cols), n,
                 [&](int64_t i, int64_t r, double y) {
                     args.logits[i * head.rows + r] = static_cast<float>(y * args.scale);
                 });
    }

    void score(const ScoreArgs& args) override {
        const Matrix& head = *args.head;
        const size_t n = args.rows.size();
        std::vector<float> logits(n * static_cast<size_t>(head.rows));
        this->logits({args.x, args.rows, args.norm, args.head, args.bias, args.scale, logits.data()});
        for (size_t i = 0; i < n; ++i) {
            const float* row = logits.data() + i * static_cast<size_t>(head.rows);
            const float* best = std::max_element(row, row + head.rows);
            double total = 0;
            for (int64_t r = 0; r < head.rows; ++r) total += std::exp(static_cast<double>(row[r]) - *best);
            args.logprobs[i] =
                static_cast<float>(static_cast<double>(row[args.targets[i]]) - *best - std::log(total));
            args.argmax[i] = static_cast<int32_t>(best - row);
        }
    }

    bool top(const TopArgs& args) override {
        const int32_t row = 0;
        logits({args.x, {&row, 1}, args.norm, args.head, args.bias, args.scale, args.logits, args.phase});
        std::vector<std::pair<float, int32_t>> order;
        for (int32_t i = 0; i < args.head->rows; ++i) order.emplace_back(args.logits[i], i);
        for (const int32_t token : args.penalized) {
            float& logit = order[static_cast<size_t>(token)].first;
            logit = logit > 0 ? logit / args.penalty : logit * args.penalty;
        }
        std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
            return std::isnan(b.first) ? !std::isnan(a.first) : a.first > b.first;
        });
        for (int32_t i = 0; i < args.k; ++i) {
            args.values[i] = order[static_cast<size_t>(i)].first;
            args.tokens[i] = order[static_cast<size_t>(i)].second;
        }
        if (args.total) {
            *args.total = 0;
            for (const auto& [logit, token] : order) {
                *args.total += std::exp((static_cast<double>(logit) - static_cast<double>(order[0].first)) /
                                        static_cast<double>(args.temperature));
            }
        }
        return true;
    }

    void copy_kv(const CopyKvArgs& args) override {
        const KvLayer& kv = args.kv;
        const auto copy = [&](std::byte* const* blocks, DType type) {
            const size_t bytes = row_bytes(type, kv.head_dim);
            for (size_t h = 0; h < static_cast<size_t>(kv.n_kv_heads); ++h) {
                const size_t at = h * kKvBlock * bytes;
                std::memcpy(blocks[args.to] + at, blocks[args.from] + at,
                            static_cast<size_t>(args.n_positions) * bytes);
            }
        };
        copy(kv.k_blocks, kv.k_type);
        copy(kv.v_blocks, kv.v_type);
    }

  private:
    static std::vector<float> asked_rows(const float* x, std::span<const int32_t> rows, const Norm& norm,
                                         int64_t dim) {
        std::vector<float> out(rows.size() * static_cast<size_t>(dim));
        for (size_t i = 0; i < rows.size(); ++i) {
            norm_row(norm, x + rows[i] * dim, dim, out.data() + i * static_cast<size_t>(dim));
        }
        return out;
    }
};

}  // namespace

std::unique_ptr<Backend> make_ref_backend(const BackendOptions&) {
    return std::make_unique<RefBackend>();
}

}  // namespace tinyllm
