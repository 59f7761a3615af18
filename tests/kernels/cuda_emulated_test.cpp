// What the op table leaves out of the CUDA kernels: widths beyond what a block holds of x, the look at a
// device before a model is trusted to it; and that the emulation finds what goes wrong on a GPU alone.
#define TINYLLM_CUDA_EMULATED
#include "kernels/cuda/device/numerics.h"
#include "kernels/cuda/self_test.h"
#include "kernels/cuda/tile_test.h"
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

/// Thread t of two warps has an octet brought to shared memory and reads that of a neighbour.
struct Copies {
    static constexpr int kThreads = 64;
    enum Fault { none, not_waited_for, not_synced, written_over, read_while_written } fault;

    void operator()(cuda_emulated::Block& block) const {
        alignas(16) std::uint32_t from[kThreads][4];
        for (std::uint32_t t = 0; t < kThreads; ++t) std::fill_n(from[t], 4, t + 1);
        cuda_emulated::Shared<cuda_emulated::Words4> shared(block, 2 * kThreads);
        const auto bring = [&](int to, bool inside) {
            block.each([&](int t) { shared.copy(t, to + t, from[t], inside); });
            block.commit_copies();
        };
        const auto expect = [&](int at, bool zeros) {
            block.each([&](int t) {
                const cuda_emulated::Words4 found = shared.get(t, at + (t ^ 32));
                EXPECT_EQ(found.w[3], zeros ? 0u : static_cast<std::uint32_t>((t ^ 32) + 1));
            });
        };
        bring(0, true);
        bring(kThreads, false);
        if (fault == written_over) block.each([&](int t) { shared.set(t, t, {}); });
        if (fault != not_waited_for) block.wait_copies<1>();
        if (fault != not_synced) block.sync();
        expect(0, false);
        if (fault != read_while_written) block.sync();
        bring(0, true);
        block.wait_copies<0>();
        block.sync();
        expect(kThreads, true);
    }
};

TEST(CudaEmulation, FindsCopiesThatNobodyWaitedFor) {
    const auto run = [](Copies::Fault fault) {
        cuda_emulated::launch(nullptr, {2, 1, 1}, 2048, Copies{fault});
    };
    for (const Copies::Fault fault :
         {Copies::not_waited_for, Copies::not_synced, Copies::written_over, Copies::read_while_written}) {
        EXPECT_THROW(run(fault), std::logic_error) << fault;
    }
    run(Copies::none);
}

/// Lanes hold what the PTX ISA's tables for mma.m16n8k16 and ldmatrix say, element by element.
TEST(CudaEmulation, FragmentsLieAsPtxSays) {
    float a[16][16], b[16][8], c[16][8];  // small integers, so every sum is exact
    for (int r = 0; r < 16; ++r) {
        for (int k = 0; k < 16; ++k) a[r][k] = static_cast<float>((r * 5 + k * 3) % 17 - 8);
        for (int n = 0; n < 8; ++n) {
            b[r][n] = static_cast<float>((r * 7 + n * 11) % 13 - 6);
            c[r][n] = static_cast<float>(r - 3 * n);
        }
    }
    using namespace cuda_emulated;
    // Element i of a: row g for i of 0, 1, 4, 5, else g + 8; column 2 (lane % 4) + i % 2, from i = 4 on 8
    // more.
    const auto row_of_a = [](int lane, int i) { return lane / 4 + (i % 4 < 2 ? 0 : 8); };
    const auto column_of_a = [](int lane, int i) { return lane % 4 * 2 + i % 2 + (i < 4 ? 0 : 8); };
    for (const bool bf16 : {false, true}) {
        const auto bits = [&](float x) { return std::uint32_t{bf16 ? float_to_bf16(x) : float_to_half(x)}; };
        FragmentA as[32];
        FragmentB bs[32];
        FragmentC cs[32];
        const FragmentA* at_a[32];
        const FragmentB* at_b[32];
        FragmentC* at_c[32];
        for (int lane = 0; lane < 32; ++lane) {
            as[lane] = {}, bs[lane] = {};
            for (int i = 0; i < 8; ++i)
                as[lane].w[i / 2] |= bits(a[row_of_a(lane, i)][column_of_a(lane, i)]) << (i % 2 * 16);
            for (int i = 0; i < 4; ++i) {
                bs[lane].w[i / 2] |= bits(b[lane % 4 * 2 + i % 2 + (i < 2 ? 0 : 8)][lane / 4])
                                     << (i % 2 * 16);
                cs[lane].x[i] = c[lane / 4 + (i < 2 ? 0 : 8)][lane % 4 * 2 + i % 2];
            }
            at_a[lane] = &as[lane], at_b[lane] = &bs[lane], at_c[lane] = &cs[lane];
        }
        bf16 ? multiply_bf16(at_a, at_b, at_c) : multiply_halves(at_a, at_b, at_c);
        for (int lane = 0; lane < 32; ++lane) {
            for (int i = 0; i < 4; ++i) {
                const int row = lane / 4 + (i < 2 ? 0 : 8), column = lane % 4 * 2 + i % 2;
                float want = c[row][column];
                for (int k = 0; k < 16; ++k) want += a[row][k] * b[k][column];
                EXPECT_EQ(cs[lane].x[i], want) << lane << " " << i;
            }
        }
    }
    // ldmatrix: row r of matrix m at the address of lane 8 m + r; lane l gets elements 2 (l % 4) and the next
    // of row l / 4 of each.
    Words4 rows[32];
    std::uint32_t to[32][4], *at[32];
    for (std::uint32_t lane = 0; lane < 32; ++lane) {
        for (std::uint32_t e = 0; e < 8; e += 2)
            rows[lane].w[e / 2] = (lane * 8 + e) | (lane * 8 + e + 1) << 16;
        at[lane] = to[lane];
    }
    load_matrices(rows, at);
    for (std::uint32_t lane = 0; lane < 32; ++lane) {
        for (std::uint32_t matrix = 0; matrix < 4; ++matrix) {
            const std::uint32_t first = (matrix * 8 + lane / 4) * 8 + lane % 4 * 2;
            EXPECT_EQ(to[lane][matrix], first | (first + 1) << 16);
        }
    }
}

constexpr DType kOnTensorCores[] = {DType::f16,  DType::bf16, DType::q8_0, DType::q4_0,
                                    DType::q5_0, DType::q4_k, DType::q6_k};

/// Rows of a product of x (n, w.cols).
std::vector<float> product(Backend& backend, const Stored& w, const std::vector<float>& x) {
    const Matrix m = backend.pack({&w.raw, 1}, nullptr);
    const auto n = static_cast<std::int64_t>(x.size()) / w.raw.cols;
    std::vector<float> out(static_cast<std::size_t>(n * w.raw.rows));
    backend.linear({.n = static_cast<std::int32_t>(n), .x = x.data(), .w = &m, .out = out.data()});
    return out;
}

/// 200 rows of x go through the largest tile here, and every smaller one gives their first rows the same
/// bits.
TEST(CudaKernels, EveryTileOfTensorCoresAddsAlike) {
    Random random(24);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    for (const DType type : kOnTensorCores) {
        const std::int64_t rows = 490, cols = fitting(type, dtype_block(type) == 1 ? 75 : 32);
        const Stored w = stored_matrix(random, type, rows, cols);
        const std::vector<float> x = random.normal(200 * cols, 100);
        const std::vector<float> all = product(*backend, w, x);
        EXPECT_LE(nmse(product(*make_ref_backend({}), w, x), all), type == DType::bf16 ? 1e-5 : 2e-7)
            << dtype_name(type);
        for (const std::int64_t n : {1, 16, 17, 33, 100}) {
            const std::vector<float> some = product(*backend, w, {x.begin(), x.begin() + n * cols});
            EXPECT_TRUE(same_bits(some, {all.begin(), all.begin() + n * rows}))
                << dtype_name(type) << " n " << n;
        }
    }
}

/// Outputs that only large elements of a row reach, and outputs that only small ones do: those are not lost.
TEST(CudaKernels, RowsOfAnyRangeKeepTheirBits) {
    Random random(25);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    constexpr std::int64_t kCols = 256, kOutputs = 20;
    for (const DType type : {DType::f16, DType::bf16}) {
        std::vector<float> weights = random.normal(2 * kOutputs * kCols);
        for (std::int64_t i = 0; i < 2 * kOutputs * kCols; ++i) {
            if (i % 2 == i / kCols % 2) weights[static_cast<std::size_t>(i)] = 0;
        }
        Stored w;
        w.bytes.resize(row_bytes(type, kCols) * 2 * kOutputs);
        traits(type).from_f32(weights.data(), w.bytes.data(), 2 * kOutputs * kCols);
        w.raw = {.type = type, .rows = 2 * kOutputs, .cols = kCols, .data = w.bytes.data()};
        // 1e8 between the elements of a row, 1e57 between rows, and a row of denormals.
        for (const float size : {1e4f, 1e35f, 1e-22f, 1e-38f}) {
            std::vector<float> x = random.normal(3 * kCols, size);
            for (float& v : x) v = std::clamp(v, -3 * size, 3 * size);
            // Denormals are all of one size, since nothing below them has eleven bits.
            const float small = size == 1e-38f ? 1 : 1e-8f;
            for (std::size_t i = 0; i < x.size(); i += 2) x[i] *= small;
            const std::vector<float> want = product(*make_ref_backend({}), w, x),
                                     have = product(*backend, w, x);
            double error[2] = {}, squares[2] = {};
            for (std::size_t i = 0; i < want.size(); ++i) {
                const double d = (static_cast<double>(have[i]) - want[i]) / size;
                error[i % 2] += d * d;
                squares[i % 2] += std::pow(static_cast<double>(want[i]) / size, 2);
            }
            for (int part = 0; part < 2; ++part) {
                EXPECT_GT(squares[part], 0);
                EXPECT_LE(error[part], (type == DType::bf16 ? 1e-5 : 2e-7) * squares[part])
                    << dtype_name(type) << " " << size << " part " << part;
            }
        }
    }
}

/// Code for GPUs without tensor cores that multiply a type goes through the tiles of f32, whose error says
/// so.
TEST(CudaKernels, GpusWithoutTensorCores) {
    Random random(26);
    const auto ref = make_ref_backend({});
    for (const DType type : {DType::f16, DType::bf16, DType::q6_k}) {
        const Stored w = stored_matrix(random, type, 30, 256);
        const std::vector<float> x = random.normal(20 * 256);
        const std::vector<float> want = product(*ref, w, x);
        for (const int capability : {53, 72, 75, 80, 90}) {
            const auto have = product(*make_cuda_emulated_backend(Precision::fast, capability), w, x);
            const bool tensor = capability >= (type == DType::bf16 ? 80 : 75);
            EXPECT_EQ(nmse(want, have) > 1e-11, tensor) << dtype_name(type) << " " << capability;
        }
    }
}

TEST(CudaEmulation, PairsOfHalvesAreRoundedOnce) {
    using namespace cuda_emulated;
    const auto fma = [](float a, float b, float c) {
        const std::uint32_t both =
            fma_halves(float_to_halves(a, 1), float_to_halves(b, 2), float_to_halves(c, 3));
        EXPECT_EQ(half_to_float(static_cast<std::uint16_t>(both >> 16)), 5);
        return half_to_float(static_cast<std::uint16_t>(both));
    };
    EXPECT_EQ(fma(3, 5, -7), 8);
    EXPECT_EQ(fma(1 + 0x1p-10f, 1 - 0x1p-10f, -1), -0x1p-20f);  // a product of 22 bits
    EXPECT_EQ(fma(2048, 1, 1), 2048);                           // the middle of two halves
    EXPECT_EQ(fma(2048, 1, 1 + 0x1p-10f), 2050);
    // Below the middle by less than a float keeps.
    EXPECT_EQ(fma(1 + 0x1p-10f, 0x1p-11f - 0x1p-21f, 1 + 0x1p-10f), 1 + 0x1p-10f);
    EXPECT_EQ(fma(0x1p-14f, 0x1p-10f, 0), 0x1p-24f);  // the smallest there is
    EXPECT_EQ(fma(0x1p-14f, 0x1p-11f, 0), 0);
    EXPECT_EQ(fma(60000, 2, 0), HUGE_VALF);
    EXPECT_TRUE(std::isnan(fma(HUGE_VALF, 0, 0)));
}

/// Rows of a token's product of x (n, w.cols).
std::vector<float> token_product(Backend& backend, const Stored& w, const std::vector<float>& x) {
    const Matrix m = backend.pack({&w.raw, 1}, nullptr);
    const auto n = static_cast<std::int64_t>(x.size()) / w.raw.cols;
    std::vector<float> out(static_cast<std::size_t>(n * w.raw.rows));
    backend.linear({.n = static_cast<std::int32_t>(n),
                    .x = x.data(),
                    .w = &m,
                    .out = out.data(),
                    .phase = Phase::decode});
    return out;
}

/// Code without products of bytes takes halves for all types, which lose less; all other code for F16 alone.
TEST(CudaKernels, TokensByBytesAndByHalves) {
    Random random(27);
    const auto ref = make_ref_backend({});
    for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q5_0,
                             DType::q4_k, DType::q6_k}) {
        const Stored w = stored_matrix(random, type, 37, dtype_block(type) == 1 ? 333 : 768);
        for (const std::int64_t n : {1, 2, 8, 11}) {
            std::vector<float> x = random.normal(n * w.raw.cols);
            for (std::size_t i = 0; i < x.size(); i += 97) x[i] *= 1000;  // as some columns of OPT and Qwen
            const std::vector<float> want = token_product(*ref, w, x);
            for (const int capability : {53, 61, 90}) {
                const auto backend = make_cuda_emulated_backend(Precision::fast, capability);
                const Matrix m = backend->pack({&w.raw, 1}, nullptr);
                const Products products = backend->products(m, Phase::decode);
                const double loss = nmse(want, token_product(*backend, w, x));
                if (type == DType::f32 || type == DType::bf16) {
                    EXPECT_EQ(products, Products::f32);
                    EXPECT_LE(loss, 1e-11) << dtype_name(type);
                } else if (type == DType::f16 || capability < 61) {
                    EXPECT_EQ(products, Products::bf16);  // of 16 bits
                    EXPECT_GT(loss, 1e-11) << dtype_name(type);
                    // Levels and minimum of q4_k are larger than what they differ by.
                    EXPECT_LE(loss, type == DType::q4_k ? 4e-6 : 3e-7)
                        << dtype_name(type) << " " << capability << " n " << n;
                } else {
                    EXPECT_EQ(products, Products::int8);
                    EXPECT_GT(loss, 1e-6) << dtype_name(type);
                }
            }
        }
    }
    EXPECT_EQ(cuda_emulated::self_test(*make_cuda_emulated_backend(Precision::fast, 53)), "");
    EXPECT_EQ(cuda_emulated::self_test_of_types(*make_cuda_emulated_backend(Precision::fast, 53)), "");
}

/// Products of halves that run over are made again of floats, whatever the sizes of both factors; infinity
/// and what is no number stay what they are, in their own row.
TEST(CudaKernels, HalvesOfATokenDoNotRunOver) {
    Random random(28);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    constexpr std::int64_t kCols = 288;
    for (const float size : {6e4f, 3.0f, 1e-3f}) {
        std::vector<float> weights = random.normal(21 * kCols, size / 4);
        for (float& v : weights) v = std::clamp(v, -size, size);
        Stored w;
        w.bytes.resize(row_bytes(DType::f16, kCols) * 21);
        traits(DType::f16).from_f32(weights.data(), w.bytes.data(), 21 * kCols);
        w.raw = {.type = DType::f16, .rows = 21, .cols = kCols, .data = w.bytes.data()};
        for (const float of_x : {1e30f, 1.0f, 1e-30f}) {
            std::vector<float> x = random.normal(3 * kCols, of_x);
            const std::vector<float> want = token_product(*make_ref_backend({}), w, x);
            double error = 0, squares = 0;
            const std::vector<float> have = token_product(*backend, w, x);
            for (std::size_t i = 0; i < want.size(); ++i) {
                error += std::pow((static_cast<double>(have[i]) - want[i]) / of_x, 2);
                squares += std::pow(static_cast<double>(want[i]) / of_x, 2);
            }
            EXPECT_GT(squares, 0);
            EXPECT_LE(error, 3e-7 * squares) << size << " " << of_x;
            for (const float odd : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
                x[kCols + 40] = odd;
                const std::vector<float> found = token_product(*backend, w, x);
                for (std::size_t i = 0; i < found.size(); ++i)
                    EXPECT_EQ(std::isfinite(found[i]), i / 21 != 1) << i;
            }
        }
    }
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
                const double bound = precision == Precision::exact ? 1e-11 : type == DType::f16 ? 1e-6 : 4e-4;
                EXPECT_LE(nmse(run(*ref), run(*backend)), bound) << dtype_name(type);
            }
        }
    }
}

/// Gate and up of one product, and in parts that do not go together; by code without tensor cores, whose
/// products are the same in both phases.
TEST(CudaKernels, GluOfATokenIsThatOfThePrompt) {
    Random random(22);
    const auto backend = make_cuda_emulated_backend(Precision::fast, 72);
    const Stored a = stored_matrix(random, DType::bf16, 30, 96),
                 b = stored_matrix(random, DType::f32, 50, 96);
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
    class WrongTokens final : public ForwardingBackend {
      public:
        using ForwardingBackend::ForwardingBackend;
        void logits(const LogitsArgs& args) override {
            inner().logits(args);
            if (args.phase == Phase::decode) args.logits[1] += 100;
        }
    };
    WrongTokens of_tokens(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::self_test(of_tokens), "the head gives other results");
}

TEST(CudaBackend, TileTestFindsTilesThatDiffer) {
    EXPECT_EQ(cuda_emulated::tile_test(*make_cuda_emulated_backend(Precision::fast), 2), "");
    EXPECT_EQ(cuda_emulated::tile_test(*make_cuda_emulated_backend(Precision::exact), 1), "");
    class Wrong final : public ForwardingBackend {
      public:
        using ForwardingBackend::ForwardingBackend;
        void linear(const LinearArgs& args) override {
            inner().linear(args);
            if (args.n == 64) args.out[args.w->rows * 63] += 1e-6f;  // of its last row
        }
    };
    Wrong wrong(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::tile_test(wrong, 2), "a product of 128 rows gives other results");
}

TEST(CudaBackend, SelfTestNamesTheTypeThatDiffers) {
    for (const Precision precision : {Precision::fast, Precision::exact})
        EXPECT_EQ(cuda_emulated::self_test_of_types(*make_cuda_emulated_backend(precision)), "");
    class OneType final : public ForwardingBackend {
      public:
        using ForwardingBackend::ForwardingBackend;
        void linear(const LinearArgs& args) override {
            inner().linear(args);
            if (args.w->strips[0].type == DType::q6_k && args.phase == Phase::decode) args.out[3] += 5;
        }
    };
    OneType wrong(make_cuda_emulated_backend(Precision::fast));
    EXPECT_EQ(cuda_emulated::self_test_of_types(wrong), "a product with q6_k gives other results");
}

}  // namespace
}  // namespace tinyllm::test
