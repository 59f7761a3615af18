// Google Benchmark of the CPU backend's ops at real shapes, per type, instruction set and number of tokens.
// Counters: bytes of weights (or cache) read per second, floating-point operations per second.
#include <benchmark/benchmark.h>

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/packed_type.h"
#include "kernels/quant.h"
#include "tinyllm/system.h"

namespace tinyllm {
namespace {

struct Shape {
    const char* model;
    std::int64_t rows, cols;
};

Matrix random_matrix(Backend& backend, DType type, std::int64_t rows, std::int64_t cols) {
    std::minstd_rand random(1);
    std::vector<float> row(static_cast<std::size_t>(cols));
    std::vector<std::byte> bytes(row_bytes(type, cols) * static_cast<std::size_t>(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
        for (float& x : row) x = static_cast<float>(random() % 2001) / 1000 - 1;
        traits(type).from_f32(row.data(), bytes.data() + row_bytes(type, cols) * static_cast<std::size_t>(r),
                              cols);
    }
    const RawMatrix raw{.type = type, .rows = rows, .cols = cols, .data = bytes.data()};
    return backend.pack({&raw, 1}, nullptr);
}

void report(benchmark::State& state, double bytes, double operations) {
    const auto n = static_cast<double>(state.iterations());
    state.counters["GB/s"] = benchmark::Counter(bytes * n / 1e9, benchmark::Counter::kIsRate);
    state.counters["GFLOP/s"] = benchmark::Counter(operations * n / 1e9, benchmark::Counter::kIsRate);
}

/// Several copies of the weights in turn, together larger than the caches, as a model's layers are.
void linear(benchmark::State& state, Backend& backend, DType type, Shape shape, std::int32_t n) {
    std::vector<Matrix> copies;
    std::size_t bytes = 0;
    while (copies.empty() || (bytes < (std::size_t{96} << 20) && copies.size() < 200)) {
        copies.push_back(random_matrix(backend, type, shape.rows, shape.cols));
        bytes += copies.back().bytes;
    }
    std::vector<float> x(static_cast<std::size_t>(n * shape.cols), 0.5f);
    std::vector<float> out(static_cast<std::size_t>(n * shape.rows));
    std::size_t next = 0;
    for (auto _ : state) {
        backend.linear({.n = n, .x = x.data(), .w = &copies[next++ % copies.size()], .out = out.data()});
        benchmark::DoNotOptimize(out.data());
    }
    report(state, static_cast<double>(copies[0].bytes),
           2.0 * static_cast<double>(shape.rows * shape.cols) * n);
}

void attend(benchmark::State& state, Backend& backend, std::int32_t heads, std::int32_t kv_heads,
            std::int32_t n, std::int32_t depth) {
    constexpr std::int32_t kHeadDim = 64;
    const std::int32_t n_blocks = (depth + n + kKvBlock - 1) / kKvBlock;
    const std::size_t block_bytes =
        static_cast<std::size_t>(kv_heads * kKvBlock) * row_bytes(DType::f16, kHeadDim);
    const std::shared_ptr<std::byte> memory =
        backend.allocate(2 * block_bytes * static_cast<std::size_t>(n_blocks));
    std::vector<std::byte*> k, v;
    std::vector<std::int32_t> ids;
    for (std::int32_t b = 0; b < n_blocks; ++b) {
        k.push_back(memory.get() + static_cast<std::size_t>(2 * b) * block_bytes);
        v.push_back(k.back() + block_bytes);
        ids.push_back(b);
    }
    const KvLayer kv{DType::f16, DType::f16, kv_heads, kHeadDim, k.data(), v.data()};
    const Segment segment{0, n, depth, ids.data()};
    std::vector<float> q(static_cast<std::size_t>(n * heads * kHeadDim), 0.1f);
    std::vector<float> out(q.size());
    for (auto _ : state) {
        backend.attend({.n = n,
                        .q = q.data(),
                        .n_heads = heads,
                        .scale = 0.125f,
                        .kv = kv,
                        .segments = {&segment, 1},
                        .out = out.data(),
                        .phase = n == 1 ? Phase::decode : Phase::prompt});
        benchmark::DoNotOptimize(out.data());
    }
    const double positions = n * (depth + (n + 1) / 2.0);
    report(state, 2.0 * kv_heads * kHeadDim * 2 * (depth + n), positions * heads * kHeadDim * 4);
}

void logits(benchmark::State& state, Backend& backend, DType type, Shape shape) {
    const Matrix head = random_matrix(backend, type, shape.rows, shape.cols);
    std::vector<float> x(static_cast<std::size_t>(shape.cols), 0.5f);
    std::vector<float> out(static_cast<std::size_t>(shape.rows));
    const std::int32_t row = 0;
    for (auto _ : state) {
        backend.logits({x.data(), {&row, 1}, {}, &head, nullptr, 1, out.data()});
        benchmark::DoNotOptimize(out.data());
    }
    report(state, static_cast<double>(head.bytes), 2.0 * static_cast<double>(shape.rows * shape.cols));
}

void add_all() {
    static std::vector<std::unique_ptr<Backend>> backends;
    const int cores = place_threads().threads;
    for (const cpu::Isa& isa : cpu::isas()) {
        if (!isa.runs_here) continue;
        for (int threads = 1; threads <= cores; threads *= 2) {
            backends.push_back(make_cpu_backend({.threads = threads, .isa = isa.table->name}));
            Backend* b = backends.back().get();
            const std::string where = std::string(isa.table->name) + "/t" + std::to_string(threads) + "/";
            const auto add = [&](const std::string& name, auto run) {
                benchmark::RegisterBenchmark((where + name).c_str(), run)
                    ->UseRealTime()
                    ->Unit(benchmark::kMicrosecond);
            };
            for (const DType type : all_dtypes()) {
                if (packed_type(type, Precision::fast) != type) continue;  // another's panels
                for (const Shape shape : {Shape{"smollm", 1536, 576}, Shape{"smollm", 576, 1536},
                                          Shape{"gpt2", 3072, 768}, Shape{"gpt2", 768, 3072}}) {
                    for (const std::int32_t n : {1, 8, 512}) {
                        add("linear/" + std::string(dtype_name(type)) + "/" + std::to_string(shape.rows) +
                                "x" + std::to_string(shape.cols) + "/n" + std::to_string(n),
                            [=](benchmark::State& s) { linear(s, *b, type, shape, n); });
                    }
                }
                for (const Shape shape : {Shape{"smollm", 49152, 576}, Shape{"gpt2", 50257, 768}}) {
                    add("logits/" + std::string(dtype_name(type)) + "/" + shape.model,
                        [=](benchmark::State& s) { logits(s, *b, type, shape); });
                }
            }
            for (const std::int32_t depth : {100, 1024}) {
                add("attend/9of3/decode/d" + std::to_string(depth),
                    [=](benchmark::State& s) { attend(s, *b, 9, 3, 1, depth); });
                add("attend/12of12/decode/d" + std::to_string(depth),
                    [=](benchmark::State& s) { attend(s, *b, 12, 12, 1, depth); });
            }
            add("attend/9of3/prefill512", [=](benchmark::State& s) { attend(s, *b, 9, 3, 512, 0); });
            add("attend/12of12/prefill512", [=](benchmark::State& s) { attend(s, *b, 12, 12, 512, 0); });
        }
    }
}

}  // namespace
}  // namespace tinyllm

int main(int argc, char** argv) {
    tinyllm::add_all();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
