#include "tools/bench_soak.h"

#include "engine/fail.h"
#include "tools/board.h"
#include "tools/log.h"
#include "tools/monitor/cooldown.h"
#include "tools/monitor/usage.h"
#include "tools/signals.h"

namespace tinyllm {
namespace {

Json soak_json(const Model& model, const check::SoakOptions& options,
               const std::vector<check::SoakRound>& rounds, const Json& usage) {
    const check::SoakVerdict verdict = check::judge(rounds);
    Json row = {{"schema", "tinyllm.soak/1"},
                {"model", model.info().path},
                {"backend", model.info().backend},
                {"n_prompt", options.n_prompt},
                {"n_gen", options.n_gen},
                {"seconds", rounds.back().seconds},
                {"rounds", rounds.size()},
                {"rss_first_bytes", verdict.first_resident},
                {"rss_last_bytes", verdict.last_resident},
                {"rss_bytes_per_minute", verdict.bytes_per_minute},
                {"leaks", verdict.leaks},
                {"first_token_ms", verdict.first_token_ms},
                {"last_token_ms", verdict.last_token_ms},
                {"drift", verdict.drift}};
    for (const char* key : {"temp_start_C", "temp_C", "throttled", "power_W", "energy_J", "clocks"})
        row[key] = usage.at(key);
    return row;
}

Table shown(const Json& row) {
    Json cells = row;
    cells["rss"] = fmt::format("{} to {}", show_bytes(row["rss_first_bytes"].get<std::int64_t>()),
                               show_bytes(row["rss_last_bytes"].get<std::int64_t>()));
    cells["growth"] = row["rss_bytes_per_minute"].get<double>() / 1024;
    cells["drift_percent"] = 100 * row["drift"].get<double>();
    cells["verdict"] = row["leaks"].get<bool>() ? "leaks" : "steady";
    for (const char* key : {"temp_start_C", "temp_C"})
        if (cells[key].is_null()) cells[key] = "not measured";
    return {{{"seconds", "seconds", 0},
             {"rounds", "rounds"},
             {"rss", "RSS"},
             {"growth", "KiB a minute", 1},
             {"first_token_ms", "first ms a token", 3},
             {"last_token_ms", "last", 3},
             {"drift_percent", "speed, %", 1},
             {"temp_start_C", "first °C", 1},
             {"temp_C", "max °C", 1},
             {"verdict", "memory"}},
            {cells}};
}

}  // namespace

int bench_soak(const std::shared_ptr<const Model>& model, const SessionOptions& session,
               const check::SoakOptions& options, const monitor::MonitorFlags& flags,
               const OutputOptions& output) {
    if (options.n_prompt < 2 || options.n_gen < 1)
        fail(ErrorKind::usage,
             "--soak: expected a prompt of 2 tokens or more and 1 generated or more, found -p {} -n {}",
             options.n_prompt, options.n_gen);
    const std::int64_t context = session.context > 0 ? session.context : model->info().context;
    if (options.n_prompt + options.n_gen > context)
        fail(ErrorKind::usage, "--soak: -p {} and -n {} need {} positions, the context holds {}",
             options.n_prompt, options.n_gen, options.n_prompt + options.n_gen, context);
    monitor::Sampler sampler(flags.interval);
    if (flags.cooldown > 0) monitor::wait_until_cool(sampler, flags.cooldown, flags.patience, "soak");
    const CooperativeStop stop;
    sampler.begin();
    const auto rounds = check::soak(model, session, options, [&](const check::SoakRound& round) {
        if (show_progress())
            fmt::print(stderr, "\r\033[K{:.0f} of {:.0f} s, {}, {:.3f} ms a token", round.seconds,
                       options.seconds, show_bytes(round.resident), round.token_ms);
        return !stop_requested();
    });
    if (show_progress()) log_line("");
    const Json row =
        soak_json(*model, options, rounds, monitor::usage_json(sampler.end(), {}, sampler.facts()));
    deliver(output, output.json() ? dump_json(row) + '\n' : render(shown(row), output.format));
    if (row["leaks"].get<bool>()) {
        log_line(
            fmt::format("tinyllm: {}: memory grew from {} to {} in {:.0f} s, in nearly every part of the run",
                        model->info().path, show_bytes(row["rss_first_bytes"].get<std::int64_t>()),
                        show_bytes(row["rss_last_bytes"].get<std::int64_t>()), rounds.back().seconds));
        return static_cast<int>(ErrorKind::check_failed);
    }
    return stop_exit_code(0);
}

}  // namespace tinyllm
