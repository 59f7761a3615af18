// What the op table leaves out of the CUDA kernels: widths beyond what a block holds of x, the look at a
// device before a model is trusted to it; and that the emulation finds what goes wrong on a GPU alone.
#define TINYLLM_CUDA_EMULATED
#include "kernels/cuda/device/block.h"
#include "kernels/cuda/self_test.h"
#include "kernels/forwarding_backend.h"
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

/// Thread t writes element t of shared memory and reads that of its neighbour in the other warp, with what
/// kind of sync between the two.
struct Neighbours {
    static constexpr int kThreads = 64;
    enum Between { nothing, of_warps, of_all } between;
    int distance;
    bool write = true;

    void operator()(cuda_emulated::Block& block) const {
        cuda_emulated::Shared<int> shared(block, kThreads);
        block.each([&](int t) {
            if (write) shared.set(t, t, t);
        });
        if (between == of_warps) block.sync_warps();
        if (between == of_all) block.sync();
        block.each([&](int t) { EXPECT_EQ(shared.get(t, t ^ distance), t ^ distance); });
    }
};

TEST(CudaEmulation, FindsRacesAndWhatNobodyWrote) {
    const auto run = [](const Neighbours& kernel, std::int64_t bytes = 256) {
        cuda_emulated::launch(nullptr, {2, 1, 1}, bytes, kernel);
    };
    EXPECT_THROW(run({Neighbours::nothing, 1}), std::logic_error);
    EXPECT_THROW(run({Neighbours::of_warps, 32}), std::logic_error);
    EXPECT_THROW(run({Neighbours::of_all, 1, false}), std::logic_error);
    EXPECT_THROW(run({Neighbours::of_all, 1}, 255), std::logic_error);  // more than the launch gave
    run({Neighbours::of_warps, 1});
    run({Neighbours::of_all, 32});
}

struct WarpSums {
    static constexpr int kThreads = 64;

    void operator()(cuda_emulated::Block& block) const {
        cuda_emulated::PerThread<int> all(block), four(block);
        block.each([&](int t) { all[t] = four[t] = t; });
        block.warp_reduce([&](int t) -> int& { return all[t]; }, cuda_emulated::Sum());
        block.warp_reduce([&](int t) -> int& { return four[t]; }, cuda_emulated::Largest(), 4);
        block.each([&](int t) {
            EXPECT_EQ(all[t], t < 32 ? 31 * 16 : 31 * 16 + 32 * 32);
            EXPECT_EQ(four[t], t / 4 * 4 + 3);
        });
    }
};

TEST(CudaEmulation, SumsTheLanesOfAWarp) {
    cuda_emulated::launch(nullptr, {1, 1, 1}, 0, WarpSums());
}

TEST(CudaKernels, RowsWiderThanABlockHolds) {
    const auto ref = make_ref_backend({});
    Random random(21);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = make_cuda_emulated_backend(precision);
        for (const DType type : {DType::f16, DType::q8_0, DType::q4_k}) {
            const std::int64_t dim = 8192 + 512;
            const Stored w = stored_matrix(random, type, 10, dim);
            const std::vector<float> weight = random.normal(dim);
            for (const std::int32_t n : {1, 3}) {
                const std::vector<float> x = random.normal(n * dim);
                const auto run = [&](Backend& b) {
                    const Matrix m = b.pack({&w.raw, 1}, nullptr);
                    std::vector<float> out(static_cast<std::size_t>(n) * 10);
                    b.linear({.n = n,
                              .x = x.data(),
                              .norm = {NormKind::rms, 1e-5f, weight.data(), nullptr},
                              .w = &m,
                              .out = out.data(),
                              .phase = Phase::decode});
                    return out;
                };
                const bool rounded = precision == Precision::fast && type != DType::f16;
                EXPECT_LE(nmse(run(*ref), run(*backend)), rounded ? 4e-4 : 1e-11) << dtype_name(type);
            }
        }
    }
}

/// Gate and up of one product, and in parts that do not go together.
TEST(CudaKernels, GluOfATokenIsThatOfThePrompt) {
    Random random(22);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    const Stored a = stored_matrix(random, DType::bf16, 30, 96),
                 b = stored_matrix(random, DType::f16, 50, 96);
    const std::vector<float> x = random.normal(9 * 96), bias = random.normal(160);
    const RawMatrix alike[] = {a.raw, b.raw, a.raw, b.raw}, crossed[] = {a.raw, b.raw, b.raw, a.raw};
    for (const std::span<const RawMatrix> parts : {std::span(alike), std::span(crossed)}) {
        const Matrix w = backend->pack(parts, nullptr);
        const auto run = [&](Phase phase) {
            std::vector<float> out(9 * 80);
            backend->glu({9, x.data(), {}, &w, bias.data(), Activation::gelu, out.data(), phase});
            return out;
        };
        EXPECT_LE(nmse(run(Phase::prompt), run(Phase::decode)), 1e-12);
    }
}

TEST(CudaBackend, SaysWhichWeightsItHoldsAsOthers) {
    Random random(23);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    const Stored native = stored_matrix(random, DType::q6_k, 3, 256);
    const Stored other = stored_matrix(random, DType::q3_k, 3, 256);
    (void)backend->pack({&native.raw, 1}, nullptr);
    EXPECT_TRUE(backend->notes().empty());
    (void)backend->pack({&other.raw, 1}, nullptr);
    ASSERT_EQ(backend->notes().size(), 1u);
    EXPECT_EQ(backend->notes()[0].find("q3_k weights are held as f16"), 0u);
}

/// As on a GPU: what the emulation computes in memory that the host does not share.
TEST(CudaBackend, WorksBehindMemoryOfItsOwn) {
    HostMemoryBackend apart(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::self_test(apart), "");
}

TEST(CudaBackend, SelfTestNamesWhatDiffers) {
    EXPECT_EQ(cuda_emulated::self_test(*make_cuda_emulated_backend(Precision::fast)), "");
    EXPECT_EQ(cuda_emulated::self_test(*make_cuda_emulated_backend(Precision::exact)), "");
    class Wrong final : public ForwardingBackend {
      public:
        using ForwardingBackend::ForwardingBackend;
        void attend(const AttendArgs& args) override {
            AttendArgs other = args;
            other.scale *= 2;
            inner().attend(other);
        }
    };
    Wrong wrong(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::self_test(wrong), "attention gives other results");
    class OneType final : public ForwardingBackend {
      public:
        using ForwardingBackend::ForwardingBackend;
        void linear(const LinearArgs& args) override {
            inner().linear(args);
            if (args.w->strips[0].type == DType::q6_k && args.phase == Phase::decode) args.out[3] += 1;
        }
    };
    OneType one_type(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::self_test(one_type), "a product gives other results");
}

}  // namespace
}  // namespace tinyllm::test
