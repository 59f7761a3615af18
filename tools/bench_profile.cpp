#include "tools/bench_profile.h"

#include "engine/fail.h"
#include "tinyllm/system.h"

namespace tinyllm {
namespace {

Json share_of(double part, double whole) {
    return whole > 0 ? Json(part / whole) : Json(nullptr);
}

/// A stage's figures from those of `units` runs or tokens.
Json stage_json(const StageUse& use, double units, double total_ms, const Limits& limits) {
    const double seconds = use.ns / 1e9;
    const double bytes = use.weight_bytes + use.cache_bytes;
    const double flops = 2 * use.multiply_adds;
    const bool computes = flops > 0;
    Json stage = {{"stage", use.stage},
                  {"op", use.op},
                  {"weights", use.weights.empty() ? Json(nullptr) : Json(use.weights)},
                  {"weight_type", use.weights.empty() ? Json(nullptr) : Json(dtype_name(use.weight_type))},
                  {"products", computes ? Json(products_name(use.products)) : Json(nullptr)},
                  {"calls", static_cast<double>(use.calls) / units},
                  {"ms", use.ns / 1e6 / units},
                  {"share", use.ns / 1e6 / units / total_ms},
                  {"weight_bytes", use.weight_bytes / units},
                  {"cache_bytes", use.cache_bytes / units},
                  {"flops", flops / units}};
    stage["gb_per_s"] = bytes > 0 ? share_of(bytes / 1e9, seconds) : Json(nullptr);
    stage["bandwidth_share"] = bytes > 0 ? share_of(bytes / limits.bandwidth, seconds) : Json(nullptr);
    stage["gflop_per_s"] = computes ? share_of(flops / 1e9, seconds) : Json(nullptr);
    stage["compute_share"] =
        computes ? share_of(flops / 1e9 / seconds, limits.gflop_per_s(use.products)) : Json(nullptr);
    return stage;
}

std::string percent(const Json& share) {
    return fmt::format("{:.0f}%", 100 * share.get<double>());
}

/// What the test's row says of the test, for a line of its own.
Json identity(const Json& row) {
    Json line;
    for (const char* key : {"model_filename", "model_type", "backends", "n_threads", "type_k", "type_v",
                            "n_prompt", "n_gen", "n_depth", "n_answers", "n_answer", "test"})
        line[key] = row[key];
    return line;
}

}  // namespace

Limits measure_limits(int threads, const std::string& cores, double bandwidth) {
    const auto rate = [&](Products products) { return 2 * measured_multiply_adds(products, threads, cores); };
    return {bandwidth, rate(Products::f32), rate(Products::int8), rate(Products::bf16),
            measured_meeting_seconds(threads, cores)};
}

Json profile_json(const BenchTest& test, const BenchSamples& samples, const Limits& limits) {
    const auto runs = static_cast<double>(samples.ns.size());
    const double units = test.n_gen > 0 ? runs * static_cast<double>(test.n_gen) : runs;
    const double total_ms = mean(samples.ns) * runs / units / 1e6;
    Json stages = Json::array();
    double ns = 0, calls = 0;
    for (const StageUse& use : samples.stages) {
        stages.push_back(stage_json(use, units, total_ms, limits));
        ns += use.ns;
        calls += static_cast<double>(use.calls);
    }
    const double rest = total_ms - ns / 1e6 / units;
    stages.push_back({{"stage", "rest"}, {"ms", rest}, {"share", rest / total_ms}});
    return {{"per", test.n_gen > 0 ? "token" : "run"},
            {"total_ms", total_ms},
            {"calls", calls / units},
            {"bandwidth_gb_per_s", limits.bandwidth / 1e9},
            {"f32_gflop_per_s", limits.gflop_per_s(Products::f32)},
            {"int8_gflop_per_s", limits.gflop_per_s(Products::int8)},
            {"bf16_gflop_per_s", limits.bf16 > 0 ? Json(limits.gflop_per_s(Products::bf16)) : Json(nullptr)},
            {"meeting_us", limits.meeting_seconds * 1e6},
            {"meeting_share", calls / units * limits.meeting_seconds * 1e3 / total_ms},
            {"stages", std::move(stages)}};
}

std::string render_profiles(const std::vector<Json>& rows, Format format) {
    const bool csv = format == Format::csv;
    Table table;
    std::string notes;
    for (const Json& row : rows) {
        const Json& profile = row["profile"];
        Json all = identity(row);
        all.update({{"stage", "all"},
                    {"ms", profile["total_ms"]},
                    {"share", 1.0},
                    {"weight_bytes", 0.0},
                    {"cache_bytes", 0.0},
                    {"flops", 0.0}});
        for (const Json& stage : profile["stages"]) {
            Json line = identity(row);
            line.update(stage);
            table.rows.push_back(std::move(line));
            for (const char* key : {"weight_bytes", "cache_bytes", "flops"})
                all[key] = all[key].get<double>() + stage.value(key, 0.0);
        }
        const double seconds = profile["total_ms"].get<double>() / 1e3;
        const double bytes = all["weight_bytes"].get<double>() + all["cache_bytes"].get<double>();
        all["calls"] = profile["calls"];
        all["gb_per_s"] = bytes / seconds / 1e9;
        all["bandwidth_share"] = bytes / seconds / 1e9 / profile["bandwidth_gb_per_s"].get<double>();
        all["gflop_per_s"] = all["flops"].get<double>() / seconds / 1e9;
        table.rows.push_back(std::move(all));
        if (csv) continue;
        notes += fmt::format(
            "{}, {} thread{}, per {}: limits {:.1f} GB/s read, {:.0f} GFLOP/s f32, {:.0f} int8{}; {:.0f} "
            "ops, "
            "for each of which the threads take {:.1f} us to meet: {:.1f}%\n",
            row["test"].get<std::string>(), row["n_threads"].get<int>(), row["n_threads"] == 1 ? "" : "s",
            profile["per"].get<std::string>(), profile["bandwidth_gb_per_s"].get<double>(),
            profile["f32_gflop_per_s"].get<double>(), profile["int8_gflop_per_s"].get<double>(),
            profile["bf16_gflop_per_s"].is_null()
                ? ""
                : fmt::format(", {:.0f} bf16", profile["bf16_gflop_per_s"].get<double>()),
            profile["calls"].get<double>(), profile["meeting_us"].get<double>(),
            100 * profile["meeting_share"].get<double>());
    }
    if (csv) {
        for (const char* key : {"model_filename", "model_type",   "backends", "n_threads", "type_k",
                                "type_v",         "n_prompt",     "n_gen",    "n_depth",   "n_answers",
                                "n_answer",       "test",         "stage",    "op",        "weights",
                                "weight_type",    "products",     "calls",    "ms",        "share",
                                "weight_bytes",   "cache_bytes",  "flops",    "gb_per_s",  "bandwidth_share",
                                "gflop_per_s",    "compute_share"})
            table.columns.push_back({key, key});
        return render(table, format);
    }
    table.columns = {{"test", "test"},
                     {"n_threads", "threads"},
                     {"stage", "stage"},
                     {"calls", "calls", 0},
                     {"ms", "ms", 3},
                     {"part", "share"},
                     {"mb", "MB", 2},
                     {"gb_per_s", "GB/s", 1},
                     {"of_read", "of read"},
                     {"mflop", "MFLOP", 1},
                     {"gflop_per_s", "GFLOP/s", 1},
                     {"of_peak", "of peak"},
                     {"products", "products"}};
    for (Json& line : table.rows) {
        line["part"] = fmt::format("{:.1f}%", 100 * line["share"].get<double>());
        const double bytes = line.value("weight_bytes", 0.0) + line.value("cache_bytes", 0.0);
        if (bytes > 0) line["mb"] = bytes / 1e6;
        if (line.value("flops", 0.0) > 0) line["mflop"] = line["flops"].get<double>() / 1e6;
        if (line.contains("bandwidth_share") && !line["bandwidth_share"].is_null())
            line["of_read"] = percent(line["bandwidth_share"]);
        if (line.contains("compute_share") && !line["compute_share"].is_null())
            line["of_peak"] = percent(line["compute_share"]);
    }
    return render(table, format) + "\n" + notes;
}

}  // namespace tinyllm
