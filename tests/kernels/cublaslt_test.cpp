// Products by cuBLASLt, for which a library stands that multiplies on the CPU and looks at what it is asked
// (fake_cublaslt.cpp), beside the CUDA kernels run by loops.
#include <dlfcn.h>

#include <cstdlib>
#include <numeric>

#include "kernels/cuda_memory.h"
#include "kernels/fake_cublaslt.h"
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

class Cublaslt : public testing::Test {
  protected:
    Cublaslt() {
        void* library = dlopen(TINYLLM_FAKE_CUBLASLT, RTLD_NOW | RTLD_LOCAL);
        fake_ = reinterpret_cast<FakeCublasLt* (*)()>(dlsym(library, "fake_cublaslt"))();
        *fake_ = {};
        ask(TINYLLM_FAKE_CUBLASLT);
    }
    ~Cublaslt() override {
        unsetenv("TINYLLM_CUBLASLT");
        EXPECT_EQ(fake_->complaint, "");
        EXPECT_EQ(fake_->handles, 0);
        EXPECT_EQ(fake_->objects, 0);
    }
    static void ask(const char* choice) { setenv("TINYLLM_CUBLASLT", choice, 1); }
    static std::unique_ptr<Backend> unasked(int capability = kEmulatedCapability) {
        return make_cuda_emulated_backend_alone(Precision::fast, capability);
    }
    static std::unique_ptr<Backend> asked(int capability = kEmulatedCapability,
                                          DeviceCalls* calls = nullptr) {
        return make_cuda_emulated_backend(Precision::fast, capability, calls);
    }
    FakeCublasLt& fake() { return *fake_; }

  private:
    static std::unique_ptr<Backend> make_cuda_emulated_backend_alone(Precision precision, int capability) {
        const std::string choice = cublaslt_choice();
        unsetenv("TINYLLM_CUBLASLT");
        auto backend = make_cuda_emulated_backend(precision, capability);
        ask(choice.c_str());
        return backend;
    }
    FakeCublasLt* fake_;
};

struct Case {
    Random random{51};
    std::int64_t cols;
    std::int32_t n;
    Stored a, b;
    std::vector<float> x, bias, start, weight;

    Case(DType first, DType second, std::int64_t rows, std::int64_t columns, std::int32_t rows_of_x)
        : cols(columns),
          n(rows_of_x),
          a(stored_matrix(random, first, rows, columns)),
          b(stored_matrix(random, second, rows / 2 + 1, columns)),
          x(random.normal(n * cols, 20)),
          bias(random.normal(outputs())),
          start(random.normal(n * outputs())),
          weight(random.normal(cols)) {}
    std::int64_t outputs() const { return a.raw.rows + b.raw.rows; }

    std::vector<float> run(Backend& backend, bool with_bias, bool accumulate, Activation activation,
                           bool norm = false, Phase phase = Phase::prompt) const {
        const RawMatrix parts[] = {a.raw, b.raw};
        const Matrix w = backend.pack(parts, nullptr);
        std::vector<float> out = start;
        backend.linear({.n = n,
                        .x = x.data(),
                        .norm = norm ? Norm{NormKind::rms, 1e-5f, weight.data(), nullptr} : Norm{},
                        .w = &w,
                        .bias = with_bias ? bias.data() : nullptr,
                        .activation = activation,
                        .accumulate = accumulate,
                        .out = out.data(),
                        .phase = phase});
        return out;
    }
};

bool has(const std::vector<std::string>& notes, const std::string& words) {
    return std::ranges::any_of(notes, [&](const std::string& n) { return n.find(words) != n.npos; });
}

TEST_F(Cublaslt, IsLoadedWhereItIsAskedForAlone) {
    for (const char* value : {"", "0"}) {
        ask(value);
        EXPECT_EQ(cublaslt_choice(), "");
        const auto backend = asked();
        EXPECT_EQ(fake().handles, 0);
        EXPECT_TRUE(backend->notes().empty());
        EXPECT_EQ(backend->description().find("cuBLASLt"), std::string::npos);
    }
    ask(TINYLLM_FAKE_CUBLASLT);
    const auto exact = make_cuda_emulated_backend(Precision::exact);
    EXPECT_EQ(fake().handles, 0);
    EXPECT_TRUE(exact->notes().empty());
    const auto backend = asked();
    EXPECT_EQ(fake().handles, 1);
    EXPECT_TRUE(has(backend->notes(), "prompts are multiplied by cuBLASLt 13.1.0"));
    EXPECT_NE(backend->description().find(", cuBLASLt 13.1.0"), std::string::npos);
}

TEST_F(Cublaslt, ProductsAreThoseOfTheReferenceAndOfTheOwnKernels) {
    const auto with = asked(), own = unasked(), ref = make_ref_backend({});
    constexpr DType kTypes[] = {DType::f16, DType::bf16, DType::f32};
    for (std::size_t t = 0; t < 3; ++t) {
        const double bound = kTypes[t] == DType::bf16 || kTypes[(t + 1) % 3] == DType::bf16 ? 1e-5 : 2e-7;
        for (const std::int64_t cols : {7, 64, 75}) {
            for (const std::int32_t n : {1, 3, 40}) {
                const Case c(kTypes[t], kTypes[(t + 1) % 3], 30, cols, n);
                for (int variant = 0; variant < 16; ++variant) {
                    const auto run = [&](Backend& backend) {
                        return c.run(backend, variant & 1, variant & 2,
                                     variant & 4 ? Activation::gelu : Activation::none, variant & 8);
                    };
                    const int before = fake().products;
                    const std::vector<float> have = run(*with);
                    EXPECT_EQ(fake().products, before + 2);  // a strip each
                    EXPECT_LE(nmse(run(*own), have), 1e-11) << t << " " << cols << " " << n;
                    EXPECT_LE(nmse(run(*ref), have), 4 * bound) << t << " " << cols << " " << n;
                }
            }
        }
    }
}

TEST_F(Cublaslt, GatesAndHeads) {
    const auto with = asked(), own = unasked();
    Random random(52);
    constexpr std::int32_t kRows = 70;
    for (const DType type : {DType::f16, DType::bf16, DType::f32}) {
        const Stored w = stored_matrix(random, type, 46, 40), head = stored_matrix(random, type, 300, 40);
        const std::vector<float> x = random.normal(kRows * 40), bias = random.normal(46);
        std::vector<std::int32_t> rows(kRows), targets(kRows), best(kRows);
        std::iota(rows.begin(), rows.end(), 0);
        std::iota(targets.begin(), targets.end(), 100);
        const auto run = [&](Backend& backend) {
            const Matrix both = backend.pack({&w.raw, 1}, nullptr);
            const Matrix table = backend.pack({&head.raw, 1}, nullptr);
            std::vector<float> found(kRows * 23 + kRows);
            backend.glu({kRows, x.data(), {}, &both, bias.data(), Activation::silu, found.data()});
            backend.score({.x = x.data(),
                           .rows = rows,
                           .targets = targets,
                           .head = &table,
                           .scale = 0.5f,
                           .logprobs = found.data() + kRows * 23,
                           .argmax = best.data()});
            return found;
        };
        const int before = fake().products;
        EXPECT_LE(nmse(run(*own), run(*with)), 1e-11) << dtype_name(type);
        EXPECT_EQ(fake().products, before + 3) << dtype_name(type);  // 64 rows of logits, then 6
    }
}

TEST_F(Cublaslt, LeavesTokensQuantizedWeightsAndStepsToTheOwnKernels) {
    const auto with = asked(), old = asked(72);
    const int before = fake().products;
    const Case quantized(DType::q8_0, DType::q4_0, 20, 64, 9), plain(DType::f16, DType::bf16, 20, 64, 9);
    (void)quantized.run(*with, true, false, Activation::none);
    (void)plain.run(*with, true, false, Activation::none, false, Phase::decode);
    // Code without tensor cores multiplies f32 by halves, which no library does.
    (void)plain.run(*old, true, false, Activation::none);
    const Matrix w = with->pack({&plain.a.raw, 1}, nullptr);
    std::vector<float> out(9 * 20);
    const auto multiply = [&] { with->linear({.n = 9, .x = plain.x.data(), .w = &w, .out = out.data()}); };
    with->step(multiply);
    EXPECT_EQ(fake().products, before);
    multiply();
    EXPECT_EQ(fake().products, before + 1);
}

TEST_F(Cublaslt, AsksOncePerShapeAndAllocatesNoMore) {
    DeviceCalls calls;
    const auto with = asked(kEmulatedCapability, &calls);
    const Case c(DType::f16, DType::bf16, 30, 64, 20);
    const RawMatrix parts[] = {c.a.raw, c.b.raw};
    const Matrix w = with->pack(parts, nullptr);
    std::vector<float> out = c.start;
    const auto run = [&](std::int32_t n) {
        with->linear({.n = n, .x = c.x.data(), .w = &w, .bias = c.bias.data(), .out = out.data()});
    };
    run(20);
    const int heuristics = fake().heuristics, allocations = calls.allocations, objects = fake().objects;
    for (int i = 0; i < 5; ++i) run(20);
    EXPECT_EQ(fake().heuristics, heuristics);
    EXPECT_EQ(fake().objects, objects);
    run(11);
    EXPECT_EQ(fake().heuristics, heuristics + 2);
    EXPECT_EQ(calls.allocations, allocations);
    // What is kept for lengths of prompts has an end.
    const Case many(DType::f16, DType::bf16, 4, 8, 300);
    const RawMatrix small_parts[] = {many.a.raw, many.b.raw};
    const Matrix small = with->pack(small_parts, nullptr);
    out = many.start;
    for (std::int32_t n = 1; n <= 300; ++n) {
        with->linear({.n = n, .x = many.x.data(), .w = &small, .out = out.data()});
        EXPECT_LE(fake().objects, 3 * 512 + 2);
    }
}

TEST_F(Cublaslt, WhereAFunctionFailsItIsNotUsed) {
    const Case c(DType::f16, DType::f32, 20, 64, 20);
    const std::vector<float> want = c.run(*unasked(), true, true, Activation::gelu);
    for (const char* function :
         {"Create", "MatmulDescCreate", "MatmulDescSetAttribute", "MatrixLayoutCreate",
          "MatmulPreferenceCreate", "MatmulPreferenceSetAttribute", "MatmulAlgoGetHeuristic", "Matmul"}) {
        fake().failing = function;
        const auto with = asked();
        EXPECT_TRUE(
            has(with->notes(), "is not used: cublasLt" + std::string(function) + " failed with status"))
            << function;
        EXPECT_EQ(with->description().find("cuBLASLt"), std::string::npos);
        EXPECT_TRUE(same_bits(c.run(*with, true, true, Activation::gelu), want)) << function;
        EXPECT_EQ(fake().handles, 0) << function;
        EXPECT_EQ(fake().objects, 0) << function;
    }
}

TEST_F(Cublaslt, OtherLibrariesAndVersionsAreNamed) {
    for (const auto& [number, version] : {std::pair{10200u, "10.2.0"}, {140003u, "14.0.3"}}) {
        fake().version = number;
        EXPECT_TRUE(has(asked()->notes(), "its version is " + std::string(version)));
    }
    for (const auto& [number, version] : {std::pair{11601u, "11.6.1"}, {120803u, "12.8.3"}}) {
        fake().version = number;
        EXPECT_TRUE(has(asked()->notes(), "multiplied by cuBLASLt " + std::string(version)));
    }
    ask("/nowhere/libcublasLt.so");
    EXPECT_TRUE(has(asked()->notes(), "/nowhere/libcublasLt.so"));
    ask("libc.so.6");
    EXPECT_TRUE(has(asked()->notes(), "it has no cublasLtGetVersion"));
}

TEST_F(Cublaslt, ProductsThatDifferEndItsUse) {
    fake().wrong = true;
    const auto with = asked();
    EXPECT_TRUE(has(with->notes(), "cuBLASLt 13.1.0 is not used: its products are others"));
    const Case c(DType::bf16, DType::f32, 20, 64, 20);
    EXPECT_TRUE(same_bits(c.run(*with, true, true, Activation::none),
                          c.run(*unasked(), true, true, Activation::none)));
}

TEST_F(Cublaslt, ShapesWithoutAnAlgorithmAreTheOwnKernels) {
    const auto with = asked(), own = unasked();
    fake().widest = 20;
    const Case many(DType::f16, DType::f32, 20, 64, 20), few(DType::f16, DType::f32, 20, 64, 19);
    const int before = fake().products;
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(same_bits(many.run(*with, true, true, Activation::none),
                              many.run(*own, true, true, Activation::none)));
    }
    EXPECT_EQ(fake().products, before);
    (void)few.run(*with, true, true, Activation::none);
    EXPECT_EQ(fake().products, before + 2);
    EXPECT_TRUE(has(with->notes(), "prompts are multiplied by cuBLASLt"));
}

/// The rows that were done before it failed are not done again.
TEST_F(Cublaslt, WhatFailsMidwayGoesOnWithTheOwnKernels) {
    const auto with = asked(), ref = make_ref_backend({});
    Random random(53);
    constexpr std::int32_t kAtOnce = (8 << 20) / 64, kRows = kAtOnce + 10;
    const Stored w = stored_matrix(random, DType::f16, 64, 1);
    const std::vector<float> x = random.normal(kRows);
    const auto run = [&](Backend& backend) {
        const Matrix m = backend.pack({&w.raw, 1}, nullptr);
        std::vector<float> out(kRows * 64, 0.5f);
        backend.linear({.n = kRows, .x = x.data(), .w = &m, .accumulate = true, .out = out.data()});
        return out;
    };
    fake().products_until = fake().products + 1;
    const std::vector<float> have = run(*with), want = run(*ref);
    EXPECT_EQ(fake().products, fake().products_until);
    EXPECT_TRUE(has(with->notes(), "is not used any more: cublasLtMatmul failed with status 13"));
    EXPECT_EQ(with->description().find("cuBLASLt"), std::string::npos);
    for (const std::int32_t first : {0, kAtOnce}) {
        const auto part = [&](const std::vector<float>& out) {
            return std::vector<float>(out.begin() + first * 64, out.begin() + (first + 10) * 64);
        };
        EXPECT_LE(nmse(part(want), part(have)), 2e-7) << first;
    }
}

TEST(CudaMemory, OfALibrarysProducts) {
    CudaStep step{.rows = 512, .dim = 64, .inner = 128, .products = 256, .vocab = 1000, .heads = 1};
    step.head_dim = 64;
    step.positions = 512;
    const std::int64_t without = cuda_buffers(step).device;
    step.library = true;
    EXPECT_EQ(cuda_buffers(step).device - without, (32 << 20) + 4 * 512 * 256);
    step.precision = Precision::exact;
    const std::int64_t exact = cuda_buffers(step).device;
    step.library = false;
    EXPECT_EQ(cuda_buffers(step).device, exact);
}

}  // namespace
}  // namespace tinyllm::test
