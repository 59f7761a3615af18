// What the kernels could reach: their inner products where nothing waits for memory, and how long threads
// take to meet.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "kernels/cpu/activations.h"
#include "kernels/cpu/caller_place.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/cpu/pack.h"
#include "kernels/machine.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Multiply-adds per second of 64 rows of `cols` weights with the widest tile, on all threads of the pool; of
/// weights unpacked before, where they are multiplied as pairs.
double product_rate(const cpu::KernelTable& table, cpu::ThreadPool& pool, DType type, Phase phase,
                    std::int64_t cols) {
    constexpr std::int64_t kRows = 64;
    constexpr double kLeastSeconds = 2e-3;  // of a pass, for the clock's sake
    constexpr int kPasses = 6;
    std::vector<float> values(static_cast<std::size_t>(kRows * cols));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 8 - 1;
    std::vector<std::byte> stored(row_bytes(type, kRows * cols));
    traits(type).from_f32(values.data(), stored.data(), kRows * cols);
    const RawMatrix raw{.type = type, .rows = kRows, .cols = cols, .data = stored.data()};
    cpu::Arena arena;
    const Matrix w = cpu::pack_panels({&raw, 1}, nullptr, table, Precision::fast, pool, arena);
    const cpu::Panels panels = cpu::panels_of(w.strips[0], cols, table.lanes);
    const auto n_panels = static_cast<int>(kRows / table.lanes);

    const cpu::Forms forms = cpu::forms_of(w, table, Precision::fast, phase);
    const std::int32_t tokens = (forms.pairs ? table.pairs->tiles : table.tiles)[cpu::kMaxTiles - 1];
    const std::int64_t panel = cpu::pair_cols(cols) * table.lanes * cpu::pair_parts(forms.pairs);
    std::vector<std::uint16_t> pairs(static_cast<std::size_t>(forms.pairs ? n_panels * panel : 0));
    for (int i = 0; forms.pairs && i < n_panels; ++i)
        table.pairs->unpack(&panels, i, forms.pairs, pairs.data() + i * panel);
    const cpu::Activations x(table, tokens, cols, forms);
    struct Own {
        cpu::Scratch activations, rows, out;
    };
    std::vector<Own> own(static_cast<std::size_t>(pool.threads()));
    values.resize(static_cast<std::size_t>(tokens * cols), 0.5f);

    const std::int64_t per_call = kRows * cols * tokens;
    std::int64_t calls = 1;
    double best = 0;
    for (int pass = 0; pass < kPasses;) {
        // One chunk a thread. A thread that comes late finds its own taken; the pass is slow then, and not
        // the best.
        const auto start = Clock::now();
        pool.run(pool.threads(), [&](int, int thread) {
            Own& mine = own[static_cast<std::size_t>(thread)];
            auto* memory = mine.activations.get<std::byte>(x.bytes());
            x.fill(memory, 0, values.data(), nullptr, {}, mine.rows.get<float>(x.row_floats()));
            auto* out = mine.out.get<float>(static_cast<std::size_t>(kRows * tokens));
            for (std::int64_t i = 0; i < calls; ++i) {
                if (forms.pairs) {
                    table.pairs->product(pairs.data(), n_panels, x.pairs(memory, 0), tokens, cols,
                                         forms.pairs, out, kRows);
                } else if (forms.int8) {
                    table.int_tile(&panels, 0, n_panels, x.int8(memory, 0), tokens, out, kRows);
                } else {
                    table.float_tile(&panels, 0, n_panels, x.f32(memory, 0), tokens, out, kRows);
                }
            }
        });
        const double seconds = seconds_since(start);
        if (seconds < kLeastSeconds) {
            calls *= 2;
            continue;
        }
        best = std::max(best, static_cast<double>(per_call * calls * pool.threads()) / seconds);
        ++pass;
    }
    return best;
}

}  // namespace

double measured_multiply_adds(Products products, int threads, const std::string& cores) {
    const cpu::KernelTable& table = cpu::choose_isa("");
    const Placement placement = place_threads(cores, threads);
    cpu::ThreadPool pool(placement.threads, placement.cores);
    const cpu::CallerPlace caller(placement.cores);
    if (products == Products::bf16 && !table.pairs) return 0;
    const DType type = products == Products::int8   ? DType::q8_0
                       : products == Products::bf16 ? DType::bf16
                                                    : DType::f32;
    const Phase phase = products == Products::bf16 ? Phase::prompt : Phase::decode;
    double best = 0;
    for (const std::int64_t cols : {128, 256, 512})
        best = std::max(best, product_rate(table, pool, type, phase, cols));
    return best;
}

double measured_meeting_seconds(int threads, const std::string& cores) {
    constexpr int kRuns = 200;
    constexpr int kPasses = 5;
    const Placement placement = place_threads(cores, threads);
    cpu::ThreadPool pool(placement.threads, placement.cores);
    const cpu::CallerPlace caller(placement.cores);
    double best = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
        const auto start = Clock::now();
        for (int i = 0; i < kRuns; ++i) {
            std::atomic<int> there{0};
            pool.run(pool.threads(), [&](int, int) {
                // Whoever is here holds its chunk until the others have taken theirs.
                there.fetch_add(1);
                for (int turn = 1; there.load() < pool.threads(); ++turn) {
                    if (turn % 4096 == 0) std::this_thread::yield();
                }
            });
        }
        const double seconds = seconds_since(start) / kRuns;
        best = pass == 0 ? seconds : std::min(best, seconds);
    }
    return best;
}

}  // namespace tinyllm
