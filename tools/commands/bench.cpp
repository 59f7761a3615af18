// tinyllm bench: llama-bench's tests and field names, with percentiles, load time, peak memory and bytes
// moved beside them.
#include <algorithm>
#include <cctype>

#include "engine/fail.h"
#include "tinyllm/inspect.h"
#include "tinyllm/system.h"
#include "tinyllm/version.h"
#include "tools/bench_profile.h"
#include "tools/bench_run.h"
#include "tools/bench_soak.h"
#include "tools/board.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/eval/machine.h"
#include "tools/log.h"
#include "tools/memory_check.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/monitor/cooldown.h"
#include "tools/monitor/usage.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

// A question of the study: what is asked in letters, and what each of four answers is scored as.
constexpr std::int64_t kQuestionTokens = 100, kAnswers = 4, kAnswerTokens = 5;

struct BenchOptions {
    ModelFlags model;
    std::vector<std::int64_t> prompts{512}, gens{128}, depths{0};
    std::vector<int> threads{0};
    std::vector<std::string> k_types, v_types;
    int repetitions = 5;
    bool question = false;
    double soak = 0;  // seconds
    monitor::MonitorFlags monitor;
    OutputOptions output;
};

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

/// "134.52 M"
std::string show_count(std::int64_t n) {
    const auto value = static_cast<double>(n);
    if (value >= 1e9) return fmt::format("{:.2f} B", value / 1e9);
    if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
    if (value >= 1e3) return fmt::format("{:.2f} K", value / 1e3);
    return std::to_string(n);
}

std::vector<BenchTest> tests_of(const BenchOptions& options) {
    std::vector<BenchTest> tests;
    for (std::int64_t depth : options.depths) {
        for (std::int64_t n : options.prompts) {
            if (n > 0) tests.push_back({.n_prompt = n, .n_gen = 0, .n_depth = depth});
        }
        for (std::int64_t n : options.gens) {
            if (n > 0) tests.push_back({.n_prompt = 0, .n_gen = n, .n_depth = depth});
        }
    }
    if (options.question) {
        tests.push_back({.n_prompt = kQuestionTokens});
        tests.push_back({.n_prompt = kQuestionTokens, .n_answers = kAnswers, .n_answer = kAnswerTokens});
    }
    if (tests.empty()) fail(ErrorKind::usage, "nothing to time: -p and -n are both 0");
    return tests;
}

struct Setting {
    const Model& model;
    const SessionOptions& session;
    std::int64_t decode_bytes = 0;
    double bandwidth = 0;  // bytes per second
    const std::optional<Limits>& limits;
};

/// What the sensors said over all repetitions; `tokens` that they ran.
void add_usage(Json& row, const Json& usage, double tokens) {
    for (const char* key : {"energy_J", "energy_net_J", "energy_of"}) row[key] = usage.at(key);
    const auto joules = monitor::measured(usage, "energy_J"), net = monitor::measured(usage, "energy_net_J");
    row["joules_per_token"] = joules ? Json(*joules / tokens) : Json();
    row["joules_per_token_net"] = net ? Json(*net / tokens) : Json();
    for (const char* key : {"power_W", "idle_W", "temp_C", "throttled", "clocks", "power_mode"})
        row[key] = usage.at(key);
    row["device_peak_bytes"] = usage.at("memory").at("device_peak");
}

Json row_json(const Setting& setting, const BenchTest& test, const BenchSamples& samples,
              const MemoryUse& memory, const Json& usage) {
    const ModelInfo& model = setting.model.info();
    const auto n = static_cast<double>(test.tokens());
    std::vector<double> per_second;
    for (double ns : samples.ns) per_second.push_back(n * 1e9 / ns);
    const CacheTypes cache = cache_types(setting.session, setting.model.exact());
    const std::optional<std::int64_t> peak = peak_resident_bytes();
    Json row = {{"model_filename", model.path},
                {"model_type", fmt::format("{} {} {}", model.architecture, show_count(model.parameters),
                                           upper(dtype_name(model.main_type)))},
                {"model_size", model.weight_bytes},
                {"model_n_params", model.parameters},
                {"backends", model.backend},
                {"n_threads", model.threads},
                {"cores", show_cores(model.cores)},
                {"type_k", dtype_name(cache.k)},
                {"type_v", dtype_name(cache.v)},
                {"n_prompt", test.n_prompt},
                {"n_gen", test.n_gen},
                {"n_depth", test.n_depth},
                {"n_answers", test.n_answers},
                {"n_answer", test.n_answer},
                {"test", test.name()},
                {"test_time", eval::utc_now()},
                {"avg_ns", static_cast<std::int64_t>(mean(samples.ns))},
                {"stddev_ns", static_cast<std::int64_t>(standard_deviation(samples.ns))},
                {"avg_ts", mean(per_second)},
                {"stddev_ts", standard_deviation(per_second)},
                {"samples_ns", std::vector<std::int64_t>(samples.ns.begin(), samples.ns.end())},
                {"samples_ts", per_second},
                {"p50_ms", nullptr},
                {"p95_ms", nullptr},
                {"gb_per_s", nullptr},
                {"bandwidth_gb_per_s", setting.bandwidth / 1e9},
                {"bandwidth_share", nullptr},
                {"load_ms", model.load_ms},
                {"rss_peak_bytes", peak ? Json(*peak) : Json(nullptr)},
                {"weights_bytes", memory.weights},
                {"kv_bytes", memory.kv},
                {"scratch_bytes", memory.scratch},
                {"cpu_info", read_board().cpu},
                {"tinyllm_version", version()}};
    if (!samples.token_ms.empty()) {
        const double ms = quantile(samples.token_ms, 0.5);
        const double moved =
            bytes_per_token(model, setting.decode_bytes, setting.session, setting.model.exact(), test) / ms *
            1e3;
        row["p50_ms"] = ms;
        row["p95_ms"] = quantile(samples.token_ms, 0.95);
        row["gb_per_s"] = moved / 1e9;
        row["bandwidth_share"] = moved / setting.bandwidth;
    }
    add_usage(row, usage, static_cast<double>(samples.ns.size()) * n);
    if (setting.limits) row["profile"] = profile_json(test, samples, *setting.limits);
    return row;
}

/// What the table shows of a row: llama-bench's columns, then ours.
Table shown(const std::vector<Json>& rows, Format format) {
    Table table{.columns = {}, .rows = rows};
    if (format == Format::csv) {
        for (const auto& item : rows.front().items()) table.columns.push_back({item.key(), item.key()});
        return table;
    }
    if (format == Format::json || format == Format::jsonl) return table;
    table.columns = {
        {"model_type", "model"},   {"size", "size"},        {"params", "params"}, {"backends", "backend"},
        {"n_threads", "threads"},  {"cache", "k/v"},        {"test", "test"},     {"ts", "t/s"},
        {"p50_ms", "p50 ms", 3},   {"p95_ms", "p95 ms", 3}, {"gb_per_s", "GB/s"}, {"share", "of read"},
        {"load_ms", "load ms", 0}, {"rss", "peak RSS"}};
    const std::vector<Column> sensed = {
        {"joules_per_token", "J/token", 4}, {"power_W", "W", 1}, {"temp_C", "max °C", 1}};
    for (const Column& column : sensed) {
        if (std::none_of(rows.begin(), rows.end(),
                         [&](const Json& row) { return row.at(column.key).is_number(); }))
            continue;
        table.columns.push_back(column);
        for (Json& row : table.rows)
            if (row[column.key].is_null()) row[column.key] = "not measured";
    }
    for (Json& row : table.rows) {
        row["size"] = show_bytes(row["model_size"].get<std::int64_t>());
        row["params"] = show_count(row["model_n_params"].get<std::int64_t>());
        row["cache"] = row["type_k"].get<std::string>() + "/" + row["type_v"].get<std::string>();
        row["ts"] =
            fmt::format("{:.2f} ± {:.2f}", row["avg_ts"].get<double>(), row["stddev_ts"].get<double>());
        if (!row["bandwidth_share"].is_null())
            row["share"] = fmt::format("{:.0f}%", 100 * row["bandwidth_share"].get<double>());
        if (!row["rss_peak_bytes"].is_null())
            row["rss"] = show_bytes(row["rss_peak_bytes"].get<std::int64_t>());
    }
    return table;
}

/// With --profile: csv has the stages alone, table and md have them below the tests.
std::string render_rows(const std::vector<Json>& rows, const BenchOptions& options) {
    const Format format = options.output.format;
    if (!options.model.load.profile || options.output.json()) return render(shown(rows, format), format);
    const std::string stages = render_profiles(rows, format);
    return format == Format::csv ? stages : render(shown(rows, format), format) + "\n" + stages;
}

/// Every cache type asked for, as options; one without a type if none was.
std::vector<std::optional<DType>> parse_cache_types(const char* flag, const std::vector<std::string>& names) {
    std::vector<std::optional<DType>> types;
    for (const std::string& name : names) types.emplace_back(parse_dtype(flag, name));
    if (types.empty()) types.emplace_back();
    return types;
}

int soak(BenchOptions& options) {
    monitor::check_temperature_guards(options.monitor);
    options.model.load.threads = options.threads.front();
    const auto model = load_model(options.model);
    SessionOptions session;
    session.k_type = parse_cache_types("-ctk", options.k_types).front();
    session.v_type = parse_cache_types("-ctv", options.v_types).front();
    return bench_soak(model, session, {options.soak, options.prompts.front(), options.gens.front()},
                      options.monitor, options.output);
}

int bench(BenchOptions& options) {
    const std::vector<BenchTest> tests = tests_of(options);
    const auto k_types = parse_cache_types("-ctk", options.k_types);
    const auto v_types = parse_cache_types("-ctv", options.v_types);
    const ModelFacts facts = inspect_model(resolve_model(options.model.model));
    // What cannot be timed is told before the first hour is spent.
    for (const auto& k_type : k_types) {
        for (const auto& v_type : v_types)
            predict_memory(facts, options.model.load, {.context = 0, .k_type = k_type, .v_type = v_type}, 1);
    }
    for (int threads : options.threads) place_threads(options.model.load.cores, threads);
    ModelOptions meant = options.model.load;
    meant.device = meant_device(meant.device, probe_gpus());
    const std::int64_t weight_bytes = decode_bytes(facts, meant);
    monitor::check_temperature_guards(options.monitor);
    monitor::Sampler sampler(options.monitor.interval);
    const auto idle_watts = sampler.idle_watts(options.monitor.idle);
    Json usage;
    std::vector<Json> rows;
    for (int threads : options.threads) {
        options.model.load.threads = threads;
        // Before the model, so that its buffers do not count as the model's memory.
        const double bandwidth = measured_read_bandwidth(threads, options.model.load.cores);
        std::optional<Limits> limits;
        if (options.model.load.profile) limits = measure_limits(threads, options.model.load.cores, bandwidth);
        eval::reset_peak_resident();
        const auto model = load_model(options.model);
        for (const auto& k_type : k_types) {
            for (const auto& v_type : v_types) {
                const SessionOptions session_options{
                    .context = options.model.session.context, .k_type = k_type, .v_type = v_type};
                Session session(model, session_options);
                const Setting setting{*model, session_options, weight_bytes, bandwidth, limits};
                for (const BenchTest& test : tests) {
                    detail("{}, {} threads: {}", model->info().path, model->info().threads, test.name());
                    // First the run: what memory it took is known behind it.
                    if (options.monitor.cooldown > 0)
                        monitor::wait_until_cool(sampler, options.monitor.cooldown, options.monitor.patience,
                                                 test.name());
                    const BenchSamples samples =
                        run_test(session, test, options.repetitions, [&] { sampler.begin(); });
                    usage = monitor::usage_json(sampler.end(), idle_watts, sampler.facts());
                    rows.push_back(row_json(setting, test, samples, session.memory(), usage));
                }
            }
        }
    }
    deliver(options.output, render_rows(rows, options));
    const std::string lacking = monitor::not_measured(usage, sampler.notes());
    if (!lacking.empty() && !options.output.json()) note("tinyllm: not measured: {}", lacking);
    return 0;
}

/// One word, split at commas; does not reach for the words behind it.
template <typename T>
CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<T>& values,
                      const std::string& help) {
    return app.add_option(names, values, help)->delimiter(',')->allow_extra_args(false)->type_name("N,…");
}

std::function<int()> add_bench(CLI::App& app) {
    auto options = std::make_shared<BenchOptions>();
    add_model_argument(app, options->model.model);
    const CLI::Option* prompts =
        add_list(app, "-p,--n-prompt", options->prompts, "Prompt lengths to time; 0: none (default 512)")
            ->check(not_negative());
    const CLI::Option* gens =
        add_list(app, "-n,--n-gen", options->gens, "Tokens to generate; 0: none (default 128)")
            ->check(not_negative());
    add_list(app, "-d,--n-depth", options->depths, "Positions already in the cache (default 0)")
        ->check(not_negative());
    add_list(app, "-t,--threads", options->threads, "Thread counts; 0: one per core of --cores (default)")
        ->check(CLI::Range(0, kMostThreads));
    add_cores_flag(app, options->model.load.cores);
    add_list(app, "--cache-type-k", options->k_types, "Types of the cached keys (short: -ctk)")
        ->type_name("TYPE,…");
    add_list(app, "--cache-type-v", options->v_types, "Types of the cached values (short: -ctv)")
        ->type_name("TYPE,…");
    app.add_option("-r,--repetitions", options->repetitions, "Timed runs of each test")
        ->type_name("N")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app.add_option("--device", options->model.load.device, "cpu, cuda, auto, or ref")->type_name("NAME");
    app.add_flag("--exact", options->model.load.exact, "Time the exact arithmetic");
    app.add_flag(
        "--question", options->question,
        "Time a question of the study: 100 tokens, and 4 answers of 5 tokens behind them; without -p "
        "and -n nothing else");
    app.add_flag("--profile", options->model.load.profile,
                 "Time, bytes and multiply-adds of each stage beside the machine's measured limits");
    add_loading_flags(app, options->model.load.packed_cache, options->model.no_memory_check);
    monitor::add_seconds(app, "--soak", options->soak,
                         "For so long (10m), rounds of prompts of about the first -p tokens and the first -n "
                         "generated: does memory grow "
                         "(exit code 8), does speed fall");
    monitor::add_monitor_flags(app, options->monitor);
    monitor::add_cooldown_flags(app, options->monitor);
    add_output_options(app, options->output);
    return [options, prompts, gens] {
        if (options->soak > 0) return soak(*options);
        if (options->question && prompts->count() == 0 && gens->count() == 0) {
            options->prompts = {0};
            options->gens = {0};
        }
        return bench(*options);
    };
}

}  // namespace

const Command& command_bench() {
    static const Command command{"bench", "Tokens per second, latency, memory and bytes moved", add_bench};
    return command;
}

}  // namespace tinyllm
