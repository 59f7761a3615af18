#include "kernels/cuda/self_test.h"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <vector>

#include "kernels/cuda/layout.h"
#include "kernels/quant.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

constexpr std::int32_t kHeads = 4, kKvHeads = 2, kHeadDim = 32, kRows = 19;
constexpr std::int64_t kDim = 256, kWidth = std::int64_t{kHeads} * kHeadDim, kFf = 320, kVocab = 600;
constexpr std::int32_t kTokens = 3;  // the second step may be a graph, the third its repetition
constexpr std::int32_t kBest = 10;

/// The same numbers everywhere, about as large as those of a model.
std::vector<float> numbers(std::int64_t n, std::uint32_t seed, float size) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (float& v : x) {
        seed = seed * 1664525u + 1013904223u;
        v = (static_cast<float>(seed >> 8) / 8388608.0f - 1.0f) * size;
    }
    return x;
}

/// One layer in a backend's memory.
class Layer {
  public:
    explicit Layer(Backend& backend) : backend_(backend) {}

    /// Outputs of a prompt's ops, then of several tokens': each a step, which a backend may repeat.
    std::vector<std::vector<float>> run() {
        std::vector<std::vector<float>> found;
        const Matrix table = matrix(DType::q8_0, kVocab, 1);
        const Matrix qkv = matrix(DType::f16, kWidth + 2 * kKvHeads * kHeadDim, 2);
        const Matrix up = matrix(DType::q4_k, 2 * kFf, 3), down = matrix(DType::q5_0, kDim, 4, kFf);
        const Norm norm{NormKind::rms, 1e-5f, floats(numbers(kDim, 5, 1)), nullptr};
        const float* angles = floats(numbers(2 * kKvBlock * kHeadDim / 2, 6, 1));
        const Rope rope{kHeadDim, angles, angles + kKvBlock * kHeadDim / 2};
        std::byte* blocks[2] = {room(kKvHeads * kKvBlock * kHeadDim), room(kKvHeads * kKvBlock * kHeadDim)};
        const KvLayer kv{DType::f16, DType::q8_0, kKvHeads, kHeadDim, blocks, blocks + 1};
        const std::int32_t block = 0;
        float* embedded = out(kRows * kDim);
        float* x = out(kRows * kDim);
        float* q = out(kRows * kWidth);
        float* mixed = out(kRows * kWidth);
        float* wide = out(kRows * kFf);
        for (std::int32_t position = 0; position < kRows + kTokens;) {
            const Phase phase = position == 0 ? Phase::prompt : Phase::decode;
            const std::int32_t n = position == 0 ? kRows : 1;
            std::vector<float> logits(kVocab), best(kBest), all(kVocab);
            const auto ops = [&] {
                const Segment segment{0, n, position, &block, 0};
                std::vector<std::int32_t> tokens;
                for (std::int32_t i = 0; i < n; ++i) tokens.push_back((position + i) * 31 % kVocab);
                backend_.embed({.n = n, .tokens = tokens.data(), .table = &table, .scale = 20, .out = x});
                backend_.norm({n, kDim, x, {}, embedded});
                backend_.qkv({n, x, norm, &qkv, nullptr, kHeads, rope, kv, {&segment, 1}, q, phase});
                backend_.attend({.n = n,
                                 .q = q,
                                 .n_heads = kHeads,
                                 .scale = 0.2f,
                                 .kv = kv,
                                 .segments = {&segment, 1},
                                 .out = mixed,
                                 .phase = phase});
                backend_.glu({n, x, norm, &up, nullptr, Activation::silu, wide, phase});
                backend_.linear({n, wide, {}, &down, nullptr, Activation::none, true, x, phase});
                TopArgs args;
                args.x = x + (n - 1) * kDim;
                args.norm = norm;
                args.head = &table;
                args.phase = phase;
                args.penalized = {&position, 1};
                args.penalty = 1.2f;
                args.k = kBest;
                std::vector<std::int32_t> which(kBest);
                args.tokens = which.data();
                args.values = best.data();
                args.logits = all.data();
                backend_.top(args);
            };
            if (phase == Phase::decode) {
                backend_.step(ops);
            } else {
                ops();
            }
            found.push_back(values(embedded, n * kDim));
            found.push_back(values(mixed, n * kWidth));
            found.push_back(values(x, n * kDim));
            const std::int32_t last = n - 1;
            backend_.logits({x, {&last, 1}, norm, &table, nullptr, 1, logits.data(), phase});
            found.push_back(logits);
            found.push_back(best);
            position += n;
        }
        return found;
    }

  private:
    Matrix matrix(DType type, std::int64_t rows, std::uint32_t seed, std::int64_t cols = kDim) {
        const std::vector<float> x = numbers(rows * cols, seed, 0.05f);
        std::vector<std::byte> stored(row_bytes(type, cols) * static_cast<std::size_t>(rows));
        traits(type).from_f32(x.data(), stored.data(), rows * cols);
        const RawMatrix raw{.type = type, .rows = rows, .cols = cols, .data = stored.data()};
        return backend_.pack({&raw, 1}, nullptr);
    }
    std::byte* room(std::int64_t floats) {
        memory_.push_back(backend_.allocate(static_cast<std::size_t>(floats) * sizeof(float)));
        return memory_.back().get();
    }
    float* out(std::int64_t n) { return reinterpret_cast<float*>(room(n)); }
    const float* floats(const std::vector<float>& x) {
        std::byte* to = room(std::ssize(x));
        backend_.write(to, x.data(), x.size() * sizeof(float));
        return reinterpret_cast<const float*>(to);
    }
    std::vector<float> values(const float* from, std::int64_t n) {
        std::vector<float> x(static_cast<std::size_t>(n));
        backend_.read(x.data(), from, x.size() * sizeof(float));
        return x;
    }

    Backend& backend_;
    std::vector<std::shared_ptr<std::byte>> memory_;
};

/// Products of a prompt's rows and of a token with a matrix stored as `type`.
std::vector<float> run_products(Backend& backend, DType type) {
    const std::lock_guard lock(backend.mutex());
    constexpr std::int64_t kOutputs = 24;
    const std::vector<float> weights = numbers(kOutputs * kDim, 7, 0.05f), x = numbers(kRows * kDim, 8, 1);
    std::vector<std::byte> stored(row_bytes(type, kDim) * kOutputs);
    traits(type).from_f32(weights.data(), stored.data(), kOutputs * kDim);
    const RawMatrix raw{.type = type, .rows = kOutputs, .cols = kDim, .data = stored.data()};
    const Matrix w = backend.pack({&raw, 1}, nullptr);
    const std::shared_ptr<std::byte> in = backend.allocate(x.size() * sizeof(float)),
                                     out = backend.allocate(kRows * kOutputs * sizeof(float));
    backend.write(in.get(), x.data(), x.size() * sizeof(float));
    std::vector<float> found;
    for (const Phase phase : {Phase::prompt, Phase::decode}) {
        const std::int32_t n = phase == Phase::prompt ? kRows : 1;
        LinearArgs args;
        args.n = n;
        args.x = reinterpret_cast<const float*>(in.get());
        args.w = &w;
        args.out = reinterpret_cast<float*>(out.get());
        args.phase = phase;
        backend.linear(args);
        const auto before = found.size();
        found.resize(before + static_cast<std::size_t>(n * kOutputs));
        backend.read(found.data() + before, out.get(), (found.size() - before) * sizeof(float));
    }
    return found;
}

std::vector<std::vector<float>> run_layer(Backend& backend) {
    const std::lock_guard lock(backend.mutex());
    return Layer(backend).run();
}

}  // namespace

std::string self_test(Backend& backend) {
    static const char* const kStages[] = {"embed", "attention", "the gated MLP", "the head",
                                          "the likeliest tokens"};
    constexpr double kBound = 1e-3;  // of squares; 8-bit activations lose about 1e-4
    const std::vector<std::vector<float>> have = run_layer(backend), want = run_layer(*make_ref_backend({}));
    for (std::size_t i = 0; i < want.size(); ++i) {
        double error = 0, size = 0;
        for (std::size_t j = 0; j < want[i].size(); ++j) {
            const double d = static_cast<double>(have[i][j]) - want[i][j];
            error += d * d;
            size += static_cast<double>(want[i][j]) * want[i][j];
        }
        if (!(error <= kBound * size))
            return std::string(kStages[i % std::size(kStages)]) + " gives other results";
    }
    return "";
}

std::string self_test_of_types(Backend& backend) {
    constexpr double kBound = 1e-3;  // as above
    const auto reference = make_ref_backend({});
    for (const DType type : all_dtypes()) {
        if (sizes_of(static_cast<int>(type)).levels == 0) continue;
        const std::vector<float> have = run_products(backend, type), want = run_products(*reference, type);
        double error = 0, size = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
            const double d = static_cast<double>(have[i]) - want[i];
            error += d * d;
            size += static_cast<double>(want[i]) * want[i];
        }
        if (!(error <= kBound * size))
            return "a product with " + std::string(dtype_name(type)) + " gives other results";
    }
    return "";
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
