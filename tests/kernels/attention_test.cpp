// qkv, attend and copy_kv on every instruction set and on the CUDA kernels' emulation against the reference:
// cache types, groups, windows, slopes, biases by distance, segments, and rows that see all keys.
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

struct AttentionCase {
    std::int32_t n_heads, n_kv_heads, head_dim;
    DType k_type = DType::f16;
    DType v_type = DType::f16;
    std::int32_t rope_dims = 0;
    std::int32_t window = 0;
    bool alibi = false;
    /// Prompt lengths of the sequences; then `steps` single rows each.
    std::vector<std::int32_t> prompts = {5};
    std::int32_t chunk = 1000;  // rows of a sequence per call
    std::int32_t steps = 2;
    std::int32_t span = -1;  // of a bias by distance; -1: none
};

std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
    return out << c.n_heads << "/" << c.n_kv_heads << " heads of " << c.head_dim << " "
               << dtype_name(c.k_type) << " " << dtype_name(c.v_type) << " rope " << c.rope_dims << " window "
               << c.window << " alibi " << c.alibi << " first prompt " << c.prompts[0] << " chunk " << c.chunk
               << " span " << c.span;
}

std::vector<AttentionCase> cases() {
    return {
        {9, 3, 64, DType::f16, DType::f16, 64, 0, false, {100, 3}, 1000, 2},
        {9, 3, 64, DType::f32, DType::f32, 64, 0, false, {300}, 70, 3},
        {12, 12, 64, DType::f16, DType::f16, 0, 0, false, {70, 1, 64}, 33, 2},
        {4, 4, 8, DType::f32, DType::f32, 0, 0, true, {150, 20}, 1000, 2},
        {4, 2, 12, DType::f16, DType::f32, 8, 7, false, {40, 90}, 16, 3},
        {2, 1, 80, DType::bf16, DType::f16, 20, 100, true, {260}, 1000, 2},
        {6, 2, 32, DType::q8_0, DType::q8_0, 32, 0, false, {80}, 1000, 2},
        {2, 2, 64, DType::q8_0, DType::q4_0, 64, 64, false, {130}, 50, 2},
        {2, 2, 32, DType::q4_0, DType::q8_0, 32, 0, true, {131, 1}, 1000, 3},
        {4, 1, 64, DType::q4_0, DType::q4_0, 16, 0, true, {140, 63}, 1000, 3},
        {3, 3, 96, DType::q8_0, DType::f16, 0, 0, false, {64, 129}, 40, 3},
        {6, 2, 96, DType::f32, DType::q4_0, 96, 30, false, {70}, 1000, 3},
        {2, 2, 128, DType::q8_0, DType::q8_0, 128, 70, true, {200, 2}, 70, 2},
        {8, 1, 128, DType::q4_0, DType::q8_0, 64, 0, false, {127}, 1000, 3},
        {4, 4, 64, DType::q8_0, DType::q8_0, 0, 0, false, {150, 20}, 1000, 2, 144},
        {3, 1, 7, DType::f32, DType::f16, 6, 1, false, {10}, 4, 2},
        {6, 6, 8, DType::f32, DType::f32, 0, 0, false, {200, 5}, 1000, 2, 144},
        {4, 2, 64, DType::f16, DType::f16, 0, 50, true, {150}, 20, 3, 0},
        {3, 1, 20, DType::f32, DType::f16, 20, 0, false, {70, 90}, 33, 2, 9},
        {20, 1, 8, DType::f32, DType::f32, 0, 0, true, {40}, 1000, 2},
        {2, 1, 160, DType::f16, DType::f32, 64, 0, false, {70, 3}, 40, 2},
        {14, 2, 64, DType::f16, DType::f16, 64, 0, false, {150}, 40, 3},
        {5, 1, 96, DType::q8_0, DType::f32, 0, 150, true, {300}, 1000, 3},
        {6, 1, 64, DType::f32, DType::q8_0, 64, 0, false, {129}, 1000, 2},
    };
}

/// A table of values, or none where `span` says so.
RelativeBias relative_bias(std::int32_t span, const std::vector<float>& values) {
    return span < 0 ? RelativeBias{} : RelativeBias{span, values.data()};
}

/// Feeds each sequence through qkv and attend, and returns all attention outputs in order of (call, row).
std::vector<float> run(Backend& backend, const AttentionCase& c, bool together) {
    constexpr std::int64_t kDim = 32;
    Random random(11);
    const std::int64_t rows = (c.n_heads + 2 * c.n_kv_heads) * c.head_dim;
    const Stored w = stored_matrix(random, DType::f32, rows, kDim);
    const std::vector<float> bias = random.normal(rows, 0.1f);
    const std::vector<float> slopes = random.normal(c.n_heads, 0.3f);
    const std::vector<float> cos = random.normal(400 * std::max(1, c.rope_dims / 2));
    const std::vector<float> sin = random.normal(400 * std::max(1, c.rope_dims / 2));
    const std::vector<float> by_distance = random.normal(c.n_heads * (2 * std::max(c.span, 0) + 1));
    const Matrix m = backend.pack({&w.raw, 1}, nullptr);
    constexpr std::int32_t kBlocks = 6;
    Cache cache(backend, c.k_type, c.v_type, c.n_kv_heads, c.head_dim,
                kBlocks * static_cast<std::int32_t>(c.prompts.size()));
    std::vector<std::vector<std::int32_t>> blocks;  // the sequences' blocks, interleaved
    std::vector<std::vector<float>> inputs;
    for (std::size_t s = 0; s < c.prompts.size(); ++s) {
        std::vector<std::int32_t> own;
        for (std::int32_t b = kBlocks - 1; b >= 0; --b)
            own.push_back(b * static_cast<std::int32_t>(c.prompts.size()) + static_cast<std::int32_t>(s));
        blocks.push_back(own);
        inputs.push_back(random.normal((c.prompts[s] + c.steps) * kDim));
    }
    std::vector<std::vector<float>> outputs(c.prompts.size());
    const auto call = [&](Phase phase, const std::vector<std::size_t>& sequences,
                          std::vector<std::int32_t>& at, const std::vector<std::int32_t>& counts) {
        std::vector<Segment> segments;
        std::vector<float> x;
        for (const std::size_t s : sequences) {
            const auto first = static_cast<std::int32_t>(x.size() / kDim);
            segments.push_back({first, counts[s], at[s], blocks[s].data(), 0});
            x.insert(x.end(), inputs[s].begin() + at[s] * kDim,
                     inputs[s].begin() + (at[s] + counts[s]) * kDim);
        }
        const auto n = static_cast<std::int32_t>(x.size() / kDim);
        const std::size_t width = static_cast<std::size_t>(c.n_heads * c.head_dim);
        std::vector<float> q(static_cast<std::size_t>(n) * width), out(q.size());
        const Rope rope{c.rope_dims, cos.data(), sin.data()};
        backend.qkv({.n = n,
                     .x = x.data(),
                     .w = &m,
                     .bias = bias.data(),
                     .n_heads = c.n_heads,
                     .rope = rope,
                     .kv = cache.layer,
                     .segments = segments,
                     .q = q.data(),
                     .phase = phase});
        backend.attend({.n = n,
                        .q = q.data(),
                        .n_heads = c.n_heads,
                        .scale = 0.3f,
                        .window = c.window,
                        .alibi = c.alibi ? slopes.data() : nullptr,
                        .relative = relative_bias(c.span, by_distance),
                        .kv = cache.layer,
                        .segments = segments,
                        .out = out.data(),
                        .phase = phase});
        for (std::size_t i = 0; i < sequences.size(); ++i) {
            const auto begin = out.begin() + static_cast<std::ptrdiff_t>(
                                                 static_cast<std::size_t>(segments[i].first_row) * width);
            auto& to = outputs[sequences[i]];
            to.insert(
                to.end(), begin,
                begin + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(segments[i].n_rows) * width));
            at[sequences[i]] += segments[i].n_rows;
        }
    };
    std::vector<std::int32_t> at(c.prompts.size(), 0);
    for (const Phase phase : {Phase::prompt, Phase::decode}) {
        for (;;) {
            std::vector<std::size_t> active;
            std::vector<std::int32_t> counts(c.prompts.size());
            for (std::size_t s = 0; s < c.prompts.size(); ++s) {
                const std::int32_t end = c.prompts[s] + (phase == Phase::prompt ? 0 : c.steps);
                if (at[s] == end) continue;
                counts[s] = phase == Phase::prompt ? std::min(c.chunk, end - at[s]) : 1;
                active.push_back(s);
            }
            if (active.empty()) break;
            if (!together) active.erase(active.begin() + 1, active.end());
            call(phase, active, at, counts);
        }
    }
    std::vector<float> all;
    for (const auto& output : outputs) all.insert(all.end(), output.begin(), output.end());
    return all;
}

/// Rows of several sequences, each of which sees all the keys of an encoder's sequence of its own.
struct ReadingCase {
    std::int32_t n_heads, n_kv_heads, head_dim;
    DType type = DType::f16;
    std::vector<std::int32_t> keys = {5};  // lengths of the encoder's sequences
    std::vector<std::int32_t> rows = {1};  // that read each of them
    std::int32_t start = 0;                // position of each first row
    std::int32_t span = -1;
};

std::ostream& operator<<(std::ostream& out, const ReadingCase& c) {
    return out << c.n_heads << "/" << c.n_kv_heads << " heads of " << c.head_dim << " " << dtype_name(c.type)
               << " keys " << c.keys[0] << " rows " << c.rows[0] << " start " << c.start << " span "
               << c.span;
}

std::vector<ReadingCase> reading_cases() {
    return {
        {12, 12, 64, DType::f32, {70, 1, 64}, {3, 1, 130}, 0, -1},
        {6, 2, 16, DType::f16, {300, 7}, {1, 1}, 40, -1},
        {4, 4, 10, DType::f32, {150, 20}, {150, 20}, 0, 30},
        {3, 1, 8, DType::f32, {129}, {1}, 64, 200},
        {4, 4, 64, DType::q8_0, {70, 1, 300}, {3, 1, 1}, 0, -1},
        {4, 2, 32, DType::q4_0, {130, 64}, {1, 9}, 10, 40},
    };
}

/// Stores keys and values with qkv alone, without queries; then reads them, `together` or a row at a time.
std::vector<float> read_keys(Backend& backend, const ReadingCase& c, bool together,
                             Phase phase = Phase::prompt) {
    constexpr std::int64_t kDim = 24;
    Random random(12);
    const Stored w = stored_matrix(random, DType::f32, 2 * c.n_kv_heads * c.head_dim, kDim);
    const std::vector<float> by_distance = random.normal(c.n_heads * (2 * std::max(c.span, 0) + 1));
    const Matrix m = backend.pack({&w.raw, 1}, nullptr);
    constexpr std::int32_t kBlocks = 5;
    const auto n_sequences = static_cast<std::int32_t>(c.keys.size());
    Cache cache(backend, c.type, c.type, c.n_kv_heads, c.head_dim, kBlocks * n_sequences);
    std::vector<std::vector<std::int32_t>> blocks(c.keys.size());
    std::vector<Segment> written;
    std::vector<Segment> readers;
    std::int32_t n = 0;
    std::int32_t n_rows = 0;
    for (std::size_t s = 0; s < c.keys.size(); ++s) {
        for (std::int32_t b = 0; b < kBlocks; ++b)
            blocks[s].push_back(b * n_sequences + static_cast<std::int32_t>(s));
        written.push_back({n, c.keys[s], 0, blocks[s].data(), 0});
        readers.push_back({n_rows, c.rows[s], c.start, blocks[s].data(), c.keys[s]});
        n += c.keys[s];
        n_rows += c.rows[s];
    }
    const std::vector<float> x = random.normal(n * kDim);
    backend.qkv(
        {.n = n, .x = x.data(), .w = &m, .n_heads = 0, .kv = cache.layer, .segments = written, .q = nullptr});
    const std::int64_t width = c.n_heads * c.head_dim;
    const std::vector<float> q = random.normal(n_rows * width);
    std::vector<float> out(q.size());
    const auto attend = [&](std::int32_t first, std::int32_t count, std::span<const Segment> segments) {
        backend.attend({.n = count,
                        .q = q.data() + first * width,
                        .n_heads = c.n_heads,
                        .scale = 1,
                        .relative = relative_bias(c.span, by_distance),
                        .kv = cache.layer,
                        .segments = segments,
                        .out = out.data() + first * width,
                        .phase = phase});
    };
    if (together) {
        attend(0, n_rows, readers);
        return out;
    }
    for (const Segment& segment : readers) {
        for (std::int32_t row = 0; row < segment.n_rows; ++row) {
            const Segment one{0, 1, segment.start + row, segment.blocks, segment.n_keys};
            attend(segment.first_row + row, 1, {&one, 1});
        }
    }
    return out;
}

/// CUDA's attention differs in that keys of a token are dealt to blocks where it need not be exact.
std::vector<Precision> precisions(const std::string& backend) {
    if (is_cuda(backend)) return {Precision::fast};
    return {Precision::fast, Precision::exact};
}

class Attention : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Isa, Attention, testing::ValuesIn(live_backends()),
                         [](const auto& test) { return test.param; });

TEST_P(Attention, EqualsReference) {
    const auto ref = make_ref_backend({});
    for (const AttentionCase& c : cases()) {
        const std::vector<float> want = run(*ref, c, true);
        // A cached value that lies between two steps of its type may round either way after another order of
        // additions; q4_0's steps are wide. ReadsTheSameBytesAsTheReference is the strict test.
        const bool rounded = c.k_type != DType::f32 || c.v_type != DType::f32;
        const bool coarse = c.k_type == DType::q4_0 || c.v_type == DType::q4_0;
        for (const Precision precision : precisions(GetParam())) {
            const auto backend = backend_on(GetParam(), 2, precision);
            const double loss = pairs_loss(GetParam(), DType::f32, precision);
            EXPECT_LE(nmse(want, run(*backend, c, true)), coarse    ? 1e-5
                                                          : rounded ? 1e-7 + 1000 * loss
                                                                    : 1e-11 + loss)
                << c;
        }
    }
}

constexpr DType kCacheTypes[] = {DType::f32, DType::f16, DType::q8_0, DType::q4_0};

/// Keys and values as qkv stores them, behind one another, of 70 positions.
std::vector<std::byte> stored_rows(Backend& backend, DType k_type, DType v_type) {
    constexpr std::int64_t kDim = 24;
    constexpr std::int32_t kRows = 70, kHeads = 2, kWidth = 64;
    Random random(13);
    const Stored w = stored_matrix(random, DType::f32, 3 * kHeads * kWidth, kDim);
    const Matrix m = backend.pack({&w.raw, 1}, nullptr);
    std::vector<float> x = random.normal(kRows * kDim);
    std::fill_n(x.begin(), kDim, 0.0f);  // a row of zeros has no scale
    const std::vector<float> cos = random.normal(kRows * kWidth / 2);
    const std::vector<float> sin = random.normal(kRows * kWidth / 2);
    Cache cache(backend, k_type, v_type, kHeads, kWidth, 2);
    const std::int32_t blocks[] = {1, 0};
    const Segment segment{0, kRows, 0, blocks, 0};
    std::vector<float> q(static_cast<std::size_t>(kRows * kHeads * kWidth));
    backend.qkv({.n = kRows,
                 .x = x.data(),
                 .w = &m,
                 .n_heads = kHeads,
                 .rope = {kWidth, cos.data(), sin.data()},
                 .kv = cache.layer,
                 .segments = {&segment, 1},
                 .q = q.data()});
    std::vector<std::byte> rows;
    const auto add = [&](std::byte* const* memory, DType type) {
        for (std::int32_t p = 0; p < kRows; ++p) {
            for (std::int32_t h = 0; h < kHeads; ++h) {
                const auto row = static_cast<std::size_t>(h * kKvBlock + p % kKvBlock);
                const std::byte* from = memory[blocks[p / kKvBlock]] + row * row_bytes(type, kWidth);
                rows.insert(rows.end(), from, from + row_bytes(type, kWidth));
            }
        }
    };
    add(cache.layer.k_blocks, k_type);
    add(cache.layer.v_blocks, v_type);
    return rows;
}

TEST_P(Attention, StoresTheBytesOfTheReferencesRule) {
    const auto backend = backend_on(GetParam(), 2, Precision::fast);
    const std::vector<std::byte> plain = stored_rows(*backend, DType::f32, DType::f32);
    const std::size_t n = plain.size() / sizeof(float) / 2;  // of keys, of values
    std::vector<float> values(2 * n);
    std::memcpy(values.data(), plain.data(), plain.size());
    for (const DType k_type : kCacheTypes) {
        for (const DType v_type : kCacheTypes) {
            const auto count = static_cast<std::int64_t>(n);
            std::vector<std::byte> want(row_bytes(k_type, count) + row_bytes(v_type, count));
            traits(k_type).from_f32(values.data(), want.data(), count);
            traits(v_type).from_f32(values.data() + n, want.data() + row_bytes(k_type, count), count);
            EXPECT_TRUE(want == stored_rows(*backend, k_type, v_type))
                << dtype_name(k_type) << " " << dtype_name(v_type);
        }
    }
}

/// Attention to a cache that was filled with the same bytes on every backend: two sequences, of which one
/// asks for `rows` positions of a prompt and one for a token behind it.
std::vector<float> attend_to_bytes(Backend& backend, const AttentionCase& c, std::int32_t rows) {
    constexpr std::int32_t kPositions = 3 * kKvBlock;
    Random random(14);
    Cache cache(backend, c.k_type, c.v_type, c.n_kv_heads, c.head_dim, 6);
    const std::int64_t floats = std::int64_t{kKvBlock} * c.n_kv_heads * c.head_dim;
    for (int b = 0; b < 6; ++b) {
        traits(c.k_type).from_f32(random.normal(floats).data(), cache.layer.k_blocks[b], floats);
        traits(c.v_type).from_f32(random.normal(floats).data(), cache.layer.v_blocks[b], floats);
    }
    const std::int32_t blocks[2][3] = {{4, 0, 2}, {1, 5, 3}};
    const Segment several{0, rows, kPositions - 9 - rows, blocks[0], 0};
    const Segment single{rows, 1, kPositions - 30, blocks[1], 0};
    const std::vector<float> q = random.normal(std::int64_t{rows + 1} * c.n_heads * c.head_dim, 0.3f);
    const std::vector<float> slopes = random.normal(c.n_heads, 0.05f);
    std::vector<float> out(q.size());
    for (const Phase phase : {Phase::prompt, Phase::decode}) {
        backend.attend({.n = rows + 1,
                        .q = q.data(),
                        .n_heads = c.n_heads,
                        .scale = 0.7f,
                        .window = c.window,
                        .alibi = c.alibi ? slopes.data() : nullptr,
                        .kv = cache.layer,
                        .segments = {phase == Phase::prompt ? &several : &single, 1},
                        .out = out.data(),
                        .phase = phase});
    }
    return out;
}

TEST_P(Attention, ReadsTheSameBytesAsTheReference) {
    const auto ref = make_ref_backend({});
    int n = 0;
    for (const std::int32_t width : {32, 64, 96, 128}) {
        for (const DType k_type : kCacheTypes) {
            for (const DType v_type : kCacheTypes) {
                const std::int32_t group = 1 + n++ % 3;  // each meets every width and type
                AttentionCase c{2 * group, 2, width, k_type, v_type};
                c.alibi = group != 1;
                c.window = width == 96 ? 75 : 0;
                const std::vector<float> want = attend_to_bytes(*ref, c, 7);
                for (const Precision precision : precisions(GetParam())) {
                    const auto backend = backend_on(GetParam(), 1, precision);
                    EXPECT_LE(nmse(want, attend_to_bytes(*backend, c, 7)),
                              1e-11 + pairs_loss(GetParam(), DType::f32, precision))
                        << c;
                }
            }
        }
    }
}

TEST_P(Attention, BitsDoNotDependOnThreads) {
    if (is_cuda(GetParam())) GTEST_SKIP() << "has no threads to choose";
    for (const Precision precision : precisions(GetParam())) {
        for (const AttentionCase& c : cases()) {
            EXPECT_TRUE(same_bits(run(*backend_on(GetParam(), 1, precision), c, true),
                                  run(*backend_on(GetParam(), 3, precision), c, true)))
                << c;
        }
    }
}

TEST_P(Attention, BitsDoNotDependOnTheBatch) {
    for (const Precision precision : precisions(GetParam())) {
        const auto backend = backend_on(GetParam(), 2, precision);
        for (const AttentionCase& c : cases()) {
            const std::vector<float> want = run(*backend, c, true);
            AttentionCase other = c;
            for (const std::int32_t chunk : {1, 19}) {
                other.chunk = chunk;
                EXPECT_TRUE(same_bits(want, run(*backend, other, false))) << c << " against chunk " << chunk;
            }
        }
    }
}

TEST_P(Attention, RowsThatSeeAllKeysEqualReference) {
    const auto ref = make_ref_backend({});
    for (const ReadingCase& c : reading_cases()) {
        const std::vector<float> want = read_keys(*ref, c, true);
        EXPECT_TRUE(same_bits(want, read_keys(*ref, c, false))) << c;
        for (const Precision precision : precisions(GetParam())) {
            const auto backend = backend_on(GetParam(), 2, precision);
            const std::vector<float> have = read_keys(*backend, c, true);
            const double loss = pairs_loss(GetParam(), DType::f32, precision);
            const double most = c.type == DType::f32 ? 1e-11 + loss : 1e-7 + 1000 * loss;
            EXPECT_LE(nmse(want, have), most) << c;
            EXPECT_TRUE(same_bits(have, read_keys(*backend_on(GetParam(), 3, precision), c, true))) << c;
            EXPECT_TRUE(same_bits(have, read_keys(*backend, c, false))) << c;
            EXPECT_LE(nmse(want, read_keys(*backend, c, false, Phase::decode)), most) << c;
        }
    }
}

TEST_P(Attention, CopiesTheFirstPositionsOfABlock) {
    const auto backend = backend_on(GetParam(), 1, Precision::fast);
    Cache cache(*backend, DType::f16, DType::q8_0, 2, 32, 2);
    const auto fill = [&](std::byte* const* blocks, DType type, int seed) {
        const std::size_t bytes = 2 * kKvBlock * row_bytes(type, 32);
        for (std::size_t i = 0; i < bytes; ++i)
            blocks[0][i] = static_cast<std::byte>(i * 31 + static_cast<std::size_t>(seed));
    };
    fill(cache.layer.k_blocks, DType::f16, 1);
    fill(cache.layer.v_blocks, DType::q8_0, 2);
    backend->copy_kv({cache.layer, 0, 1, 10});
    const auto check = [&](std::byte* const* blocks, DType type) {
        const std::size_t row = row_bytes(type, 32);
        for (std::size_t i = 0; i < 2 * kKvBlock * row; ++i) {
            const bool copied = i / row % kKvBlock < 10;
            ASSERT_EQ(blocks[1][i], copied ? blocks[0][i] : std::byte{0}) << i;
        }
    };
    check(cache.layer.k_blocks, DType::f16);
    check(cache.layer.v_blocks, DType::q8_0);
}

}  // namespace
}  // namespace tinyllm::test
