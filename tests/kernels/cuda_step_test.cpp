// Steps of generation on the CUDA backend: what is noted and replayed computes what launches would, whatever
// changes between one step and the next, and asks the device for nothing more.
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

constexpr std::int32_t kHeads = 2, kHeadDim = 32, kLayers = 2;
constexpr std::int64_t kDim = 64, kVocab = 3000;

/// Two layers of attention behind an embedding, and what is drawn from. Its `floats` outlive it.
class SmallModel {
  public:
    SmallModel(Backend& backend, std::int32_t sequences)
        : backend_(backend), cache_(backend, DType::f16, DType::f16, 1, kHeadDim, 12 * sequences) {
        Random random(31);
        const Stored table = stored_matrix(random, DType::q8_0, kVocab, kDim);
        const Stored qkv = stored_matrix(random, DType::f16, (kHeads + 2) * kHeadDim, kDim);
        const Stored out = stored_matrix(random, DType::q4_0, kDim, kHeads * kHeadDim);
        table_ = backend.pack({&table.raw, 1}, nullptr);
        qkv_ = backend.pack({&qkv.raw, 1}, nullptr);
        out_ = backend.pack({&out.raw, 1}, nullptr);
        angles_ = random.normal(1024 * kHeadDim);
        const auto rows = static_cast<std::size_t>(600);
        x_.resize(rows * kDim);
        q_.resize(rows * kHeads * kHeadDim);
        mixed_.resize(q_.size());
        for (std::int32_t s = 0; s < sequences; ++s) {
            blocks_.emplace_back();
            // Of sequences that grow in turn.
            for (std::int32_t b = 0; b < 12; ++b) blocks_.back().push_back(b * sequences + s);
        }
    }

    float scale = 0.3f;

    /// One token of each sequence at its position, or several of one as a prompt.
    void run(const std::vector<std::int32_t>& tokens, const std::vector<std::int32_t>& starts, Phase phase) {
        std::vector<Segment> segments;
        const auto n = static_cast<std::int32_t>(tokens.size());
        for (std::size_t s = 0; s < starts.size(); ++s) {
            segments.push_back({static_cast<std::int32_t>(s), phase == Phase::prompt ? n : 1, starts[s],
                                blocks_[s].data(), 0});
        }
        backend_.embed({.n = n, .tokens = tokens.data(), .table = &table_, .scale = 4, .out = x_.data()});
        const Rope rope{kHeadDim, angles_.data(), angles_.data() + 512 * kHeadDim};
        for (int layer = 0; layer < kLayers; ++layer) {
            backend_.qkv(
                {n, x_.data(), {}, &qkv_, nullptr, kHeads, rope, cache_.layer, segments, q_.data(), phase});
            backend_.attend({.n = n,
                             .q = q_.data(),
                             .n_heads = kHeads,
                             .scale = scale,
                             .window = 700,
                             .kv = cache_.layer,
                             .segments = segments,
                             .out = mixed_.data(),
                             .phase = phase});
            backend_.linear({n, mixed_.data(), {}, &out_, nullptr, Activation::none, true, x_.data(), phase});
        }
    }
    /// Tokens and logits of the likeliest.
    std::vector<float> top(std::int32_t row, std::span<const std::int32_t> penalized = {}) {
        std::vector<std::int32_t> tokens(5);
        std::vector<float> found(5), all(kVocab);
        TopArgs args;
        args.x = x_.data() + row * kDim;
        args.head = &table_;
        args.penalized = penalized;
        args.penalty = 1.5f;
        args.k = 5;
        args.tokens = tokens.data();
        args.values = found.data();
        args.logits = all.data();
        EXPECT_FALSE(backend_.top(args));
        found.insert(found.end(), tokens.begin(), tokens.end());
        return found;
    }
    std::vector<float> rows(std::int32_t n) const { return {x_.begin(), x_.begin() + n * kDim}; }

  private:
    Backend& backend_;
    Cache cache_;
    Matrix table_, qkv_, out_;
    std::vector<float> angles_, x_, q_, mixed_;
    std::vector<std::vector<std::int32_t>> blocks_;
};

/// What `call` asks of the device.
template <typename Call>
DeviceCalls asked(const DeviceCalls& calls, const Call& call) {
    const DeviceCalls before = calls;
    call();
    return {calls.allocations - before.allocations,
            calls.uploads - before.uploads,
            calls.waits - before.waits,
            calls.launches - before.launches,
            calls.graphs - before.graphs,
            calls.replays - before.replays,
            calls.downloaded - before.downloaded,
            calls.releases};
}

/// Behind texts of several lengths, alone and together: the same bits as launched one by one.
TEST(CudaSteps, ReplayWhatLaunchesCompute) {
    for (const std::int32_t sequences : {1, 3}) {
        DeviceCalls calls;
        const auto steps = make_cuda_emulated_backend(Precision::fast, kEmulatedCapability, &calls);
        const auto launches = make_cuda_emulated_backend(Precision::fast);
        SmallModel one(*steps, sequences), other(*launches, sequences);
        std::vector<std::int32_t> tokens(static_cast<std::size_t>(sequences)), starts(tokens.size(), 0);
        int plain = 0, graphs = 0;
        // Across blocks of the cache, and across the numbers of splits. Keys and values of a first block
        // would share a table.
        for (const std::int32_t from : {64, 122, 250, 508}) {
            for (std::int32_t at = from; at < from + 10; ++at) {
                for (std::size_t s = 0; s < tokens.size(); ++s) {
                    tokens[s] = (at * 37 + static_cast<std::int32_t>(s) * 11) % kVocab;
                    starts[s] = std::max(0, at - static_cast<std::int32_t>(s) * 20);
                }
                const std::int32_t penalized[] = {at, at + 1, at + 2};
                std::vector<float> found;
                const DeviceCalls step = asked(calls, [&] {
                    steps->step([&] {
                        one.run(tokens, starts, Phase::decode);
                        found = one.top(0, std::span(penalized).first(at % 2 ? 3 : 2));
                    });
                });
                EXPECT_EQ(step.uploads, 1) << at;
                EXPECT_EQ(step.waits, 1) << at;
                EXPECT_EQ(step.replays, step.launches > 0 ? 0 : 1) << at;
                EXPECT_TRUE(step.allocations == 0 || step.launches > 0) << at;
                plain += step.launches > 0;
                graphs += step.graphs;

                other.run(tokens, starts, Phase::decode);
                EXPECT_TRUE(same_bits(one.rows(sequences), other.rows(sequences))) << at;
                EXPECT_TRUE(same_bits(found, other.top(0, std::span(penalized).first(at % 2 ? 3 : 2))));
            }
        }
        // For texts of one, two and up to four splits, and of up to 2048 positions in all of the tables.
        EXPECT_EQ(plain, 3) << sequences;
        EXPECT_EQ(graphs, 3) << sequences;
    }
}

TEST(CudaSteps, WhatChangedIsNotReplayed) {
    DeviceCalls calls;
    const auto steps = make_cuda_emulated_backend(Precision::fast, kEmulatedCapability, &calls);
    const auto launches = make_cuda_emulated_backend(Precision::fast);
    SmallModel one(*steps, 1), other(*launches, 1);
    // Each of two kinds of steps is launched, then made a graph, then replayed.
    for (int i = 0; i < 8; ++i) {
        one.scale = other.scale = i % 2 ? 0.1f : 0.3f;
        const DeviceCalls step =
            asked(calls, [&] { steps->step([&] { one.run({7 + i}, {i}, Phase::decode); }); });
        EXPECT_EQ(step.launches > 0, i < 2) << i;
        EXPECT_EQ(step.graphs, i == 2 || i == 3) << i;
        EXPECT_EQ(step.replays, i >= 2) << i;
        other.run({7 + i}, {i}, Phase::decode);
        EXPECT_TRUE(same_bits(one.rows(1), other.rows(1))) << i;
    }
}

TEST(CudaSteps, ResultsWithinAStepAreThoseSoFar) {
    DeviceCalls calls;
    const auto backend = make_cuda_emulated_backend(Precision::fast, kEmulatedCapability, &calls);
    const std::vector<float> x = {3, -4};
    for (int i = 0; i < 3; ++i) {
        std::vector<float> y(2), z(2);
        backend->step([&] {
            // Released before what uses it has run.
            {
                const auto memory = backend->allocate(2 * sizeof(float));
                auto* between = reinterpret_cast<float*>(memory.get());
                backend->norm({1, 2, x.data(), {}, between});
                backend->norm({1, 2, between, {}, y.data()});
            }
            EXPECT_EQ(*calls.releases, i);
            backend->read(nullptr, nullptr, 0);
            EXPECT_EQ(*calls.releases, i + 1);
            EXPECT_EQ(y, x);
            backend->write(y.data(), std::vector<float>{1, 2}.data(), 2 * sizeof(float));
            backend->step([&] { backend->norm({1, 2, y.data(), {}, z.data()}); });
            EXPECT_EQ(z, std::vector<float>(2));  // a step within a step is part of it
        });
        EXPECT_EQ(z, (std::vector<float>{1, 2}));
    }
}

TEST(CudaSteps, AnExceptionLeavesNothingBehind) {
    DeviceCalls calls;
    const auto backend = make_cuda_emulated_backend(Precision::fast, kEmulatedCapability, &calls);
    const std::vector<float> x = {3, -4};
    std::vector<float> y(2);
    const auto copy = [&] { backend->norm({1, 2, x.data(), {}, y.data()}); };
    EXPECT_THROW(backend->step([&] {
        copy();
        throw std::runtime_error("in between");
    }),
                 std::runtime_error);
    EXPECT_EQ(calls.launches, 0);
    EXPECT_EQ(y, std::vector<float>(2));
    copy();  // outside of a step: at once
    EXPECT_EQ(y, x);
    backend->step([&] {
        y = {0, 0};
        copy();
    });
    EXPECT_EQ(y, x);
}

}  // namespace
}  // namespace tinyllm::test
