#include "kernels/profiling_backend.h"

#include <algorithm>

namespace tinyllm {
namespace {

/// Of `rows` looked up.
double table_bytes(const Matrix& w, std::int32_t rows) {
    return static_cast<double>(w.bytes) / static_cast<double>(w.rows) * rows;
}

/// Of one position in one layer.
double position_bytes(const KvLayer& kv) {
    return static_cast<double>(kv.n_kv_heads) *
           static_cast<double>(row_bytes(kv.k_type, kv.head_dim) + row_bytes(kv.v_type, kv.head_dim));
}

struct Seen {
    double positions = 0;  // distinct ones
    double pairs = 0;      // of a row and a position it sees
};

Seen seen_by(const Segment& segment, std::int32_t window) {
    if (segment.n_keys > 0) {
        const double keys = segment.n_keys;
        return {keys, keys * segment.n_rows};
    }
    const std::int32_t end = segment.start + segment.n_rows;
    Seen seen;
    seen.positions = window > 0 ? std::min(end, segment.n_rows + window - 1) : end;
    for (std::int32_t p = segment.start; p < end; ++p)
        seen.pairs += window > 0 ? std::min(p + 1, window) : p + 1;
    return seen;
}

DType largest_type(const Matrix& w) {
    const auto largest = std::ranges::max_element(w.strips, {}, &Strip::rows);
    return largest == w.strips.end() ? DType::f32 : largest->type;
}

}  // namespace

/// Of `rows` rows with the whole matrix.
ProfilingBackend::Work ProfilingBackend::product(const Matrix& w, std::size_t rows, Phase phase) const {
    return {.weight_bytes = static_cast<double>(w.bytes),
            .multiply_adds =
                static_cast<double>(w.rows) * static_cast<double>(w.cols) * static_cast<double>(rows),
            .products = products(w, phase)};
}

StageUse& ProfilingBackend::use_of(std::string_view op, const Matrix* weights, std::string_view name,
                                   Products products) {
    for (StageUse& use : uses_) {
        if (use.op == op && use.weights == name && use.products == products) return use;
    }
    StageUse& use = uses_.emplace_back();
    use.op = op;
    use.weights = name;
    use.products = products;
    if (weights) use.weight_type = largest_type(*weights);
    return use;
}

template <typename Call>
void ProfilingBackend::record(std::string_view op, const Matrix* weights, std::string_view name,
                              const Work& work, const Call& call) {
    StageUse& use = use_of(op, weights, name, work.products);
    const Clock::time_point start = Clock::now();
    call();
    inner().read(nullptr, nullptr, 0);  // a GPU is still at it
    use.ns += std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    ++use.calls;
    use.weight_bytes += work.weight_bytes;
    use.cache_bytes += work.cache_bytes;
    use.multiply_adds += work.multiply_adds;
}

void ProfilingBackend::embed(const EmbedArgs& args) {
    Work work{.weight_bytes = table_bytes(*args.table, args.n)};
    if (args.position_table) work.weight_bytes += table_bytes(*args.position_table, args.n);
    record("embed", args.table, args.table->name, work, [&] { inner().embed(args); });
}

void ProfilingBackend::norm(const NormArgs& args) {
    const bool copies = args.norm.kind == NormKind::none;
    record(copies ? "copy" : "norm", nullptr, "", {}, [&] { inner().norm(args); });
}

void ProfilingBackend::linear(const LinearArgs& args) {
    const Work work = product(*args.w, static_cast<std::size_t>(args.n), args.phase);
    record("linear", args.w, args.w->name, work, [&] { inner().linear(args); });
    linear_out_ = args.out;
    linear_name_ = args.w->name;
}

void ProfilingBackend::glu(const GluArgs& args) {
    const Work work = product(*args.w, static_cast<std::size_t>(args.n), args.phase);
    record("glu", args.w, args.w->name, work, [&] { inner().glu(args); });
}

void ProfilingBackend::qkv(const QkvArgs& args) {
    Work work = product(*args.w, static_cast<std::size_t>(args.n), args.phase);
    work.cache_bytes = args.n * position_bytes(args.kv);
    record("qkv", args.w, args.w->name, work, [&] { inner().qkv(args); });
    linear_out_ = nullptr;
    qkv_name_ = args.w->name;
}

void ProfilingBackend::attend(const AttendArgs& args) {
    Work work;
    for (const Segment& segment : args.segments) {
        const Seen seen = seen_by(segment, args.window);
        work.cache_bytes += seen.positions * position_bytes(args.kv);
        work.multiply_adds += 2 * seen.pairs * args.n_heads * args.kv.head_dim;
    }
    record("attend", nullptr, args.q == linear_out_ ? linear_name_ : qkv_name_, work,
           [&] { inner().attend(args); });
}

void ProfilingBackend::logits(const LogitsArgs& args) {
    const Work work = product(*args.head, args.rows.size(), args.phase);
    record("logits", args.head, args.head->name, work, [&] { inner().logits(args); });
}

void ProfilingBackend::score(const ScoreArgs& args) {
    const Work work = product(*args.head, args.rows.size(), Phase::prompt);
    record("score", args.head, args.head->name, work, [&] { inner().score(args); });
}

bool ProfilingBackend::top(const TopArgs& args) {
    bool has_logits = false;
    record("top", args.head, args.head->name, product(*args.head, 1, args.phase),
           [&] { has_logits = inner().top(args); });
    return has_logits;
}

void ProfilingBackend::copy_kv(const CopyKvArgs& args) {
    const Work work{.cache_bytes = 2 * args.n_positions * position_bytes(args.kv)};
    record("copy_kv", nullptr, "", work, [&] { inner().copy_kv(args); });
}

}  // namespace tinyllm
