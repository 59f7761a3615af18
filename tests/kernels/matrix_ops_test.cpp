// linear, glu, logits, score, embed and norm on every instruction set and on the CUDA kernels' emulation
// against the reference.
#include <numeric>

#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

/// Counts the bytes of each part, which must all come by once.
class Watch : public PackWatch {
  public:
    bool accept(std::size_t part, std::span<const std::byte> stored) override {
        const std::lock_guard lock(mutex_);
        accepted[part] += stored.size();
        return part != refuse;
    }
    void done(std::size_t part, std::span<const std::byte> stored) override {
        released[part] += stored.size();
    }

    std::map<std::size_t, std::size_t> accepted, released;
    std::size_t refuse = SIZE_MAX;

  private:
    std::mutex mutex_;
};

struct Shape {
    std::int64_t rows, cols;
};

double bound(DType type, Precision precision) {
    return precision == Precision::fast && dtype_block(type) > 1 ? 1e-4 : 1e-11;
}

const NormKind kNorms[] = {NormKind::none, NormKind::layer, NormKind::rms};
const Activation kActivations[] = {Activation::none, Activation::relu,      Activation::silu,
                                   Activation::gelu, Activation::gelu_tanh, Activation::relu_squared};

struct LinearCase {
    Random random{1};
    Stored a, b;
    std::vector<float> x, norm_weight, norm_bias, bias, start;
    std::int32_t n;
    Norm norm;
    Activation activation;
    bool accumulate;

    LinearCase(DType type, Shape shape, std::int32_t rows_of_x, int variant) : n(rows_of_x) {
        random = Random(static_cast<unsigned>(shape.rows * 7 + shape.cols + rows_of_x + variant));
        a = stored_matrix(random, type, shape.rows, shape.cols);
        // A second strip: another type where the width allows it, in another order.
        b = stored_matrix(random, shape.cols % 32 == 0 ? DType::q8_0 : DType::f16, shape.rows / 2 + 3,
                          shape.cols);
        b.raw.row_order = random.permutation(b.raw.rows);
        x = random.normal(n * shape.cols);
        norm_weight = random.normal(shape.cols);
        norm_bias = random.normal(shape.cols);
        bias = random.normal(total_rows());
        start = random.normal(n * total_rows());
        norm = {kNorms[variant % 3], 1e-5f, norm_weight.data(), variant % 2 ? norm_bias.data() : nullptr};
        activation = kActivations[variant % 6];
        accumulate = variant % 2 == 1;
    }
    std::int64_t total_rows() const { return a.raw.rows + b.raw.rows; }

    std::vector<float> run(Backend& backend, std::int32_t first, std::int32_t count,
                           Phase phase = Phase::prompt) const {
        const RawMatrix parts[] = {a.raw, b.raw};
        Watch watch;
        const Matrix w = backend.pack(parts, &watch);
        EXPECT_EQ(watch.accepted, watch.released);
        EXPECT_EQ(watch.released, (std::map<std::size_t, std::size_t>{{0, stored_bytes(a.raw).size()},
                                                                      {1, stored_bytes(b.raw).size()}}));
        std::vector<float> out(start.begin() + first * total_rows(),
                               start.begin() + (first + count) * total_rows());
        backend.linear({.n = count,
                        .x = x.data() + first * w.cols,
                        .norm = norm,
                        .w = &w,
                        .bias = bias.data(),
                        .activation = activation,
                        .accumulate = accumulate,
                        .out = out.data(),
                        .phase = phase});
        return out;
    }
};

class MatrixOps : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Isa, MatrixOps, testing::ValuesIn(live_backends()),
                         [](const auto& test) { return test.param; });

TEST_P(MatrixOps, WhatIsNotAcceptedIsNotPacked) {
    Random random(1);
    const Stored first = stored_matrix(random, DType::q8_0, 40, 64);
    const Stored second = stored_matrix(random, DType::f16, 40, 64);
    const RawMatrix parts[] = {first.raw, second.raw};
    for (const std::size_t refuse : {0, 1}) {
        Watch watch;
        watch.refuse = refuse;
        EXPECT_FALSE(backend_on(GetParam(), 2, Precision::fast)->pack(parts, &watch));
        EXPECT_EQ(watch.released.size(), refuse);
        EXPECT_FALSE(make_ref_backend({})->pack(parts, &watch));
    }
}

TEST_P(MatrixOps, LinearEqualsReference) {
    const auto ref = make_ref_backend({});
    int variant = 0;
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const DType type : all_dtypes()) {
            for (const Shape shape :
                 {Shape{64, 576}, Shape{50, 896}, Shape{37, 960}, Shape{33, 1088}, Shape{50, 768},
                  Shape{5, 32}, Shape{1, 64}, Shape{19, 33}, Shape{7, 1}, Shape{70, 129}, Shape{19, 256}}) {
                if (shape.cols % dtype_block(type)) continue;
                // The kernels meet nothing new in what was packed as another type.
                if (packed_type(type, precision) != type && shape.cols % 256) continue;
                // Wide ones twice only: the reference is slow, and slower still under an emulator.
                for (const std::int32_t n : {1, 13, 2, 3, 5, 50}) {
                    if (shape.cols > 500 && n != 1 && n != 13) break;
                    const LinearCase c(type, shape, n, variant++);
                    const std::vector<float> want = c.run(*ref, 0, n);
                    for (const Phase phase : {Phase::prompt, Phase::decode}) {
                        const std::vector<float> have = c.run(*backend, 0, n, phase);
                        // Few outputs say little about the mean.
                        EXPECT_LE(nmse(want, have),
                                  (want.size() < 500 ? 4 : 1) * bound(DType::q8_0, precision))
                            << dtype_name(type) << " " << shape.rows << "x" << shape.cols << " n " << n;
                    }
                }
            }
        }
    }
}

TEST_P(MatrixOps, PlainTypesLoseNoMoreThanPairsDo) {
    const auto ref = make_ref_backend({});
    const auto backend = backend_on(GetParam(), 1, Precision::fast);
    Random random(3);
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        const Stored w = stored_matrix(random, type, 100, 333);
        for (const std::int32_t n : {1, 4, 40}) {
            const std::vector<float> x = random.normal(n * 333);
            const auto run = [&](Backend& b, Phase phase) {
                const Matrix m = b.pack({&w.raw, 1}, nullptr);
                std::vector<float> out(static_cast<std::size_t>(n * 100));
                b.linear({.n = n, .x = x.data(), .w = &m, .out = out.data(), .phase = phase});
                return out;
            };
            const std::vector<float> want = run(*ref, Phase::prompt);
            const bool by_halves = is_cuda(GetParam()) && type == DType::f16;
            EXPECT_LE(nmse(want, run(*backend, Phase::decode)), by_halves ? 2e-7 : 1e-12)
                << dtype_name(type) << " n " << n;
            EXPECT_LE(nmse(want, run(*backend, Phase::prompt)),
                      1e-12 + pairs_loss(GetParam(), type, Precision::fast))
                << dtype_name(type) << " n " << n;
        }
    }
}

TEST_P(MatrixOps, TransposedAndReorderedRows) {
    const auto ref = make_ref_backend({});
    const auto backend = backend_on(GetParam(), 1, Precision::exact);
    Random random(4);
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        // Stored (cols, stored rows) = (40, 90); two parts pick rows of it.
        const Stored stored = stored_matrix(random, type, 40, 90);
        const std::vector<std::int32_t> order = random.permutation(90);
        RawMatrix first{.type = type,
                        .rows = 31,
                        .cols = 40,
                        .data = stored.bytes.data(),
                        .transposed = true,
                        .stored_rows = 90};
        RawMatrix second = first;
        first.row_order.assign(order.begin(), order.begin() + 31);
        second.rows = 59;
        second.row_order.assign(order.begin() + 31, order.end());
        const RawMatrix parts[] = {first, second};
        const std::vector<float> x = random.normal(3 * 40);
        std::vector<float> values(90 * 40);
        traits(type).to_f32(stored.bytes.data(), values.data(), 90 * 40);
        std::vector<float> want(3 * 90);
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t r = 0; r < 90; ++r) {
                double sum = 0;
                for (std::size_t k = 0; k < 40; ++k)
                    sum += values[k * 90 + static_cast<std::size_t>(order[r])] * x[i * 40 + k];
                want[i * 90 + r] = static_cast<float>(sum);
            }
        }
        for (Backend* b : {ref.get(), backend.get()}) {
            const Matrix w = b->pack(parts, nullptr);
            std::vector<float> have(want.size());
            b->linear({.n = 3, .x = x.data(), .w = &w, .out = have.data()});
            EXPECT_LE(nmse(want, have), 1e-12) << dtype_name(type) << " " << b->name();
        }
    }
}

TEST_P(MatrixOps, BitsDoNotDependOnThreads) {
    if (is_cuda(GetParam())) GTEST_SKIP() << "has no threads to choose";
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto one = backend_on(GetParam(), 1, precision);
        const auto three = backend_on(GetParam(), 3, precision);
        int variant = 0;
        for (const DType type : all_dtypes()) {
            for (const std::int32_t n : {1, 3, 50}) {
                const LinearCase c(type, {130, fitting(type, 96)}, n, variant++);
                EXPECT_TRUE(same_bits(c.run(*one, 0, n), c.run(*three, 0, n)))
                    << dtype_name(type) << " n " << n;
            }
        }
    }
}

TEST_P(MatrixOps, BitsDoNotDependOnTheBatch) {
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const Phase phase : {Phase::prompt, Phase::decode}) {
            int variant = 0;
            for (const DType type : all_dtypes()) {
                const LinearCase c(type, {66, fitting(type, 192)}, 43, variant++);
                const std::vector<float> all = c.run(*backend, 0, 43, phase);
                for (std::int32_t first = 0; first < 43;) {
                    const std::int32_t n = std::min(43 - first, 1 + first % 5);
                    const std::vector<float> part = c.run(*backend, first, n, phase);
                    const auto begin = all.begin() + first * c.total_rows();
                    EXPECT_TRUE(same_bits(part, {begin, begin + n * c.total_rows()}))
                        << dtype_name(type) << " row " << first;
                    first += n;
                }
            }
        }
    }
}

// As many rows and columns as make a product by floats several blocks of rows, which share their panels.
TEST_P(MatrixOps, BitsDoNotDependOnTheBlocksOfABatch) {
    if (is_cuda(GetParam())) GTEST_SKIP() << "has no such blocks";
    constexpr std::int32_t kRows = 110;
    for (const auto& [type, precision] :
         {std::pair{DType::f16, Precision::fast}, std::pair{DType::bf16, Precision::exact},
          std::pair{DType::q8_0, Precision::exact}}) {
        const auto backend = backend_on(GetParam(), 1, precision);
        const LinearCase c(type, {600, 1536}, kRows, 1);
        const std::vector<float> all = c.run(*backend, 0, kRows);
        for (std::int32_t first = 0; first < kRows; first += 10) {
            const auto begin = all.begin() + first * c.total_rows();
            EXPECT_TRUE(same_bits(c.run(*backend, first, 2), {begin, begin + 2 * c.total_rows()}))
                << dtype_name(type) << " row " << first;
        }
    }
}

TEST_P(MatrixOps, Glu) {
    const auto ref = make_ref_backend({});
    Random random(5);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const DType type : all_dtypes()) {
            const std::int64_t dim = fitting(type, 96);
            for (const std::int64_t ff : {48, 37}) {
                for (const bool one_part :
                     {false, true}) {  // one part of 2 ff rows: up does not start at a panel
                    const Stored both = stored_matrix(random, type, 2 * ff, dim);
                    RawMatrix gate = both.raw;
                    gate.rows = ff;
                    RawMatrix up = gate;
                    up.data += row_bytes(type, dim) * static_cast<std::size_t>(ff);
                    const RawMatrix halves[] = {gate, up};
                    const std::span<const RawMatrix> parts =
                        one_part ? std::span(&both.raw, 1) : std::span(halves);
                    const std::vector<float> bias = random.normal(2 * ff);
                    const std::vector<float> norm_weight = random.normal(dim);
                    for (const std::int32_t n : {1, 30}) {
                        const std::vector<float> x = random.normal(n * dim);
                        const auto run = [&](Backend& b) {
                            const Matrix w = b.pack(parts, nullptr);
                            std::vector<float> out(static_cast<std::size_t>(n * ff));
                            b.glu({.n = n,
                                   .x = x.data(),
                                   .norm = {NormKind::rms, 1e-6f, norm_weight.data(), nullptr},
                                   .w = &w,
                                   .bias = n == 1 ? bias.data() : nullptr,
                                   .activation = Activation::silu,
                                   .out = out.data()});
                            return out;
                        };
                        EXPECT_LE(nmse(run(*ref), run(*backend)),
                                  4 * bound(type, precision) + pairs_loss(GetParam(), type, precision))
                            << dtype_name(type) << " " << ff;
                    }
                }
            }
        }
    }
}

TEST_P(MatrixOps, LogitsAndScore) {
    const auto ref = make_ref_backend({});
    Random random(6);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const DType type : all_dtypes()) {
            const std::int64_t vocab = 1237;
            const std::int64_t dim = fitting(type, 64);
            const Stored head = stored_matrix(random, type, vocab, dim);
            const std::vector<float> x = random.normal(20 * dim, 3);
            const std::vector<float> norm_weight = random.normal(dim);
            const std::vector<float> bias = random.normal(vocab);
            const std::vector<std::int32_t> rows = {19, 0, 7, 7, 3, 18, 2, 11};
            const std::vector<std::int32_t> targets = {0, 1236, 511, 512, 1023, 1024, 600, 5};
            struct Result {
                std::vector<float> logits, logprobs;
                std::vector<std::int32_t> argmax;
            };
            const auto run = [&](Backend& b) {
                const Matrix w = b.pack({&head.raw, 1}, nullptr);
                const Norm norm{NormKind::layer, 1e-5f, norm_weight.data(), nullptr};
                Result r{std::vector<float>(rows.size() * vocab), std::vector<float>(rows.size()),
                         std::vector<std::int32_t>(rows.size())};
                b.logits({x.data(), rows, norm, &w, bias.data(), 0.7f, r.logits.data()});
                b.score({x.data(), rows, targets, norm, &w, bias.data(), 0.7f, r.logprobs.data(),
                         r.argmax.data()});
                return r;
            };
            const Result want = run(*ref);
            const Result have = run(*backend);
            EXPECT_LE(nmse(want.logits, have.logits),
                      bound(type, precision) + pairs_loss(GetParam(), type, precision))
                << dtype_name(type);
            for (std::size_t i = 0; i < rows.size(); ++i) {
                // The score is that of the backend's own logits, in double.
                const float* row = have.logits.data() + i * vocab;
                const float* best = std::max_element(row, row + vocab);
                double total = 0;
                for (std::int64_t r = 0; r < vocab; ++r)
                    total += std::exp(static_cast<double>(row[r]) - *best);
                EXPECT_NEAR(have.logprobs[i], static_cast<double>(row[targets[i]]) - *best - std::log(total),
                            2e-6);
                EXPECT_EQ(have.argmax[i], best - row);
                if (precision == Precision::exact) {
                    EXPECT_NEAR(have.logprobs[i], want.logprobs[i], 1e-5);
                }
            }
        }
    }
}

TEST_P(MatrixOps, ScoreNamesTheFirstOfEquals) {
    const auto backend = backend_on(GetParam(), 2, Precision::fast);
    std::vector<float> head(2000, 0.5f);  // every token scores the same
    head[0] = head[1] = 0.25f;
    const RawMatrix raw{
        .type = DType::f32, .rows = 2000, .cols = 1, .data = reinterpret_cast<const std::byte*>(head.data())};
    const Matrix w = backend->pack({&raw, 1}, nullptr);
    const float x = 2;
    const std::int32_t row = 0;
    const std::int32_t target = 1999;
    float logprob = 0;
    std::int32_t argmax = -1;
    backend->score({&x, {&row, 1}, {&target, 1}, {}, &w, nullptr, 1, &logprob, &argmax});
    EXPECT_EQ(argmax, 2);
}

struct Tops {
    std::vector<std::int32_t> tokens;
    std::vector<float> values;
    double total = 0;
};

/// What top() gives of x, and of the logits that it may leave.
Tops tops_of(Backend& backend, TopArgs args, std::int32_t k, std::vector<float>& logits) {
    Tops found{std::vector<std::int32_t>(static_cast<std::size_t>(k)),
               std::vector<float>(static_cast<std::size_t>(k)), 0};
    args.k = k;
    args.tokens = found.tokens.data();
    args.values = found.values.data();
    if (k > 1) args.total = &found.total;
    std::vector<float> left(static_cast<std::size_t>(args.head->rows), -1.0f);
    args.logits = left.data();
    const bool has_logits = backend.top(args);
    const std::int32_t row = 0;
    logits.resize(left.size());
    backend.logits(
        {args.x, {&row, 1}, args.norm, args.head, args.bias, args.scale, logits.data(), args.phase});
    EXPECT_EQ(has_logits, same_bits(left, logits));
    return found;
}

TEST_P(MatrixOps, TopIsTheBeginningOfAllLogitsSorted) {
    Random random(61);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        const auto ref = make_ref_backend({});
        for (const std::int64_t vocab : {7, 300, 2048, 2049, 10000}) {
            const Stored head = stored_matrix(random, DType::q8_0, vocab, 64);
            const std::vector<float> x = random.normal(64, 3);
            const Matrix w = backend->pack({&head.raw, 1}, nullptr);
            const std::vector<std::int32_t> penalized = {3, 0, 5, static_cast<std::int32_t>(vocab - 1)};
            TopArgs args;
            args.x = x.data();
            args.head = &w;
            args.scale = 2;
            args.temperature = 0.7f;
            for (const std::int32_t k : {1, 2, 40, 256}) {
                if (k > vocab) continue;
                for (const float penalty : {1.0f, 1.3f}) {
                    args.penalty = penalty;
                    args.penalized = {};
                    if (penalty != 1) args.penalized = penalized;
                    std::vector<float> logits;
                    if (precision == Precision::exact && k > 1) {  // the specification, within rounding
                        const Matrix ref_w = ref->pack({&head.raw, 1}, nullptr);
                        TopArgs ref_args = args;
                        ref_args.head = &ref_w;
                        const Tops want = tops_of(*ref, ref_args, k, logits);
                        const Tops have = tops_of(*backend, args, k, logits);
                        EXPECT_LE(nmse(want.values, have.values), 1e-10) << vocab << " " << k;
                        EXPECT_NEAR(have.total / want.total, 1, 1e-4) << vocab << " " << k;
                    }
                    const Tops found = tops_of(*backend, args, k, logits);
                    for (const std::int32_t token : args.penalized) {
                        float& logit = logits[static_cast<std::size_t>(token)];
                        logit = logit > 0 ? logit / penalty : logit * penalty;
                    }
                    std::vector<std::int32_t> order(logits.size());
                    std::iota(order.begin(), order.end(), 0);
                    std::ranges::stable_sort(order, std::greater(), [&](std::int32_t i) {
                        return logits[static_cast<std::size_t>(i)];
                    });
                    order.resize(static_cast<std::size_t>(k));
                    EXPECT_EQ(found.tokens, order) << vocab << " " << k;
                    double total = 0;
                    for (const float logit : logits)
                        total += std::exp((static_cast<double>(logit) - found.values[0]) / 0.7f);
                    EXPECT_NEAR(k > 1 ? found.total / total : 1, 1, 1e-6) << vocab << " " << k;
                    for (std::size_t i = 0; i < order.size(); ++i)
                        EXPECT_EQ(found.values[i], logits[static_cast<std::size_t>(order[i])]);
                }
            }
        }
    }
}

/// Equal logits in the order of their tokens, both zeros and infinities among them; what is no number last.
TEST(Top, TiesInfinitiesAndNaN) {
    std::vector<std::string> names = live_backends();
    names.emplace_back("ref");
    for (const std::string& name : names) {
        const auto backend = name == "ref" ? make_ref_backend({}) : backend_on(name, 1, Precision::exact);
        const float infinity = std::numeric_limits<float>::infinity();
        const std::vector<float> head = {0.0f, -0.0f, NAN, 1, infinity, -infinity, 1, -1, -NAN, 0.0f};
        const RawMatrix raw{.type = DType::f32,
                            .rows = std::ssize(head),
                            .cols = 1,
                            .data = reinterpret_cast<const std::byte*>(head.data())};
        const Matrix w = backend->pack({&raw, 1}, nullptr);
        const float x = 1;
        std::vector<std::int32_t> tokens(head.size());
        std::vector<float> values(head.size()), logits(head.size());
        TopArgs args;
        args.x = &x;
        args.head = &w;
        args.k = static_cast<std::int32_t>(head.size());
        args.tokens = tokens.data();
        args.values = values.data();
        args.logits = logits.data();
        backend->top(args);
        EXPECT_EQ(tokens, (std::vector<std::int32_t>{4, 3, 6, 0, 1, 9, 7, 5, 2, 8})) << name;
        EXPECT_TRUE(std::isnan(values[8]) && std::isnan(values[9])) << name;
        args.k = 1;
        backend->top(args);
        EXPECT_EQ(tokens[0], 4) << name;
    }
}

TEST_P(MatrixOps, EmbedReadsTheStoredRows) {
    const auto ref = make_ref_backend({});
    Random random(7);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const DType type : all_dtypes()) {
            const std::int64_t dim = fitting(type, 64);
            Stored table = stored_matrix(random, type, 77, dim);
            table.raw.row_order = random.permutation(77);
            const Stored positions = stored_matrix(random, DType::f32, 20, dim);
            const std::vector<std::int32_t> tokens = {0, 76, 16, 15, 3, 3, 40, 41, 42, 75};
            const std::vector<std::int32_t> at = {0, 1, 2, 3, 19, 5, 6, 7, 8, 9};
            const auto run = [&](Backend& b) {
                const Matrix t = b.pack({&table.raw, 1}, nullptr);
                const Matrix p = b.pack({&positions.raw, 1}, nullptr);
                std::vector<float> out(tokens.size() * static_cast<std::size_t>(dim));
                b.embed({static_cast<std::int32_t>(tokens.size()), tokens.data(), &t, 1.5f, at.data(), &p,
                         out.data()});
                return out;
            };
            const std::vector<float> want = run(*ref), have = run(*backend);
            if (packs_exactly(GetParam(), type, precision)) {
                EXPECT_TRUE(same_bits(want, have)) << dtype_name(type);
            } else {
                // Scales of eleven bits; q2_k is rounded to q8_0.
                EXPECT_LE(nmse(want, have), type == DType::q2_k ? 5e-5 : 1e-6) << dtype_name(type);
                EXPECT_GT(nmse(want, have), 0) << dtype_name(type);
            }
        }
    }
}

TEST_P(MatrixOps, NormInPlace) {
    const auto ref = make_ref_backend({});
    const auto backend = backend_on(GetParam(), 2, Precision::fast);
    Random random(8);
    for (const std::int64_t dim : {1, 33, 576}) {
        for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
            const std::vector<float> x = random.normal(17 * dim, 5);
            const std::vector<float> weight = random.normal(dim);
            const std::vector<float> bias = random.normal(dim);
            const auto run = [&](Backend& b) {
                std::vector<float> y = x;
                b.norm({17, dim, y.data(), {kind, 1e-5f, weight.data(), bias.data()}, y.data()});
                return y;
            };
            EXPECT_LE(nmse(run(*ref), run(*backend)), 1e-12) << dim;
        }
    }
}

TEST_P(MatrixOps, NanAndInfinityPropagate) {
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = backend_on(GetParam(), 2, precision);
        Random random(9);
        for (const DType type : all_dtypes()) {
            const std::int64_t dim = fitting(type, 64);
            const Stored w = stored_matrix(random, type, 40, dim);
            const Matrix m = backend->pack({&w.raw, 1}, nullptr);
            for (const Activation activation : kActivations) {
                std::vector<float> x = random.normal(3 * dim);
                x[static_cast<std::size_t>(dim) + 17] = std::numeric_limits<float>::quiet_NaN();
                std::vector<float> out(3 * 40);
                backend->linear(
                    {.n = 3, .x = x.data(), .w = &m, .activation = activation, .out = out.data()});
                for (std::size_t i = 0; i < out.size(); ++i) {
                    EXPECT_EQ(std::isnan(out[i]), i / 40 == 1)
                        << dtype_name(type) << " " << static_cast<int>(activation);
                }
            }
        }
    }
}

TEST_P(MatrixOps, ActivationsAcrossTheirRange) {
    const auto ref = make_ref_backend({});
    const auto backend = backend_on(GetParam(), 1, Precision::exact);
    const float one = 1;
    const RawMatrix raw{
        .type = DType::f32, .rows = 1, .cols = 1, .data = reinterpret_cast<const std::byte*>(&one)};
    std::vector<float> x;
    for (float v = -100; v <= 100; v += 0.037f) x.push_back(v);
    for (const Activation activation : kActivations) {
        const auto run = [&](Backend& b) {
            const Matrix w = b.pack({&raw, 1}, nullptr);
            std::vector<float> out(x.size());
            b.linear({.n = static_cast<std::int32_t>(x.size()),
                      .x = x.data(),
                      .w = &w,
                      .activation = activation,
                      .out = out.data()});
            return out;
        };
        const std::vector<float> want = run(*ref);
        const std::vector<float> have = run(*backend);
        for (std::size_t i = 0; i < x.size(); ++i) {
            EXPECT_NEAR(have[i], want[i], 1e-30 + std::fabs(want[i]) * 4e-7 * (2 + x[i] * x[i]))
                << static_cast<int>(activation) << " at " << x[i];
        }
    }
}

}  // namespace
}  // namespace tinyllm::test
