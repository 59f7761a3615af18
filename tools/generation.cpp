#include "tools/generation.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "engine/fail.h"
#include "tools/board.h"
#include "tools/log.h"
#include "tools/signals.h"
#include "tools/stop_strings.h"

namespace tinyllm {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::uint64_t choose_seed(std::int64_t asked) {
    if (asked >= 0) return static_cast<std::uint64_t>(asked);
    std::random_device random;
    return random();
}

}  // namespace

void add_sampling_flags(CLI::App& app, SamplingFlags& flags) {
    SamplerOptions& s = flags.sampler;
    app.add_option("-s,--seed", flags.seed, "Seed of the draws; -1: a new one each time")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{-1}, INT64_MAX))
        ->capture_default_str();
    const auto sampling = [&](CLI::Option* option) {
        flags.sampling.push_back(option->capture_default_str());
    };
    sampling(
        app.add_option("--temp,--temperature", s.temperature, "Temperature; 0: always the most likely token")
            ->type_name("T"));
    sampling(app.add_option("--top-k", s.top_k, "Draw from the K most likely; 0: all")->type_name("K"));
    sampling(app.add_option("--top-p", s.top_p,
                            "Draw from the fewest tokens that hold P of the probability; 1: all")
                 ->type_name("P"));
    sampling(
        app.add_option("--min-p", s.min_p, "Draw from tokens at least P times as likely as the best; 0: all")
            ->type_name("P"));
    app.add_option("--repeat-penalty", s.repeat_penalty, "Divides the logits of recent tokens; 1: off")
        ->type_name("X")
        ->capture_default_str();
    app.add_option("--repeat-last-n", s.repeat_last_n, "Tokens that count as recent")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--stop", flags.stop, "End before this text; may be given more than once")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    app.add_flag("--ignore-eos", flags.ignore_eos, "Go on behind the model's end token");
}

std::vector<Token> encode_prompt(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<Token> tokens = tokenizer.encode(text);
    if (!tokens.empty()) return tokens;
    const std::optional<Token> start = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
    if (!start)
        fail(ErrorKind::usage, "the prompt has no tokens, and the tokenizer has no BOS or EOS to start from");
    return {*start};
}

void check_fits(std::size_t tokens, const Session& session) {
    if (static_cast<std::int64_t>(tokens) > session.context()) {
        fail(ErrorKind::usage, "the text has {} tokens, the context holds {}{}", tokens, session.context(),
             session.context() < session.model().info().context
                 ? fmt::format("; the model's own is {} (-c)", session.model().info().context)
                 : "");
    }
}

Generation generate_text(Session& session, std::vector<Token> prompt, std::int64_t max_tokens,
                         const SamplingFlags& flags, const std::function<void(std::string_view)>& on_text) {
    check_fits(prompt.size(), session);
    Generation result;
    result.prompt = std::move(prompt);
    result.load_ms = session.model().info().load_ms;
    result.seed = choose_seed(flags.seed);
    GenerateOptions options{.max_tokens = max_tokens < 0 ? INT64_MAX : max_tokens,
                            .sampler = flags.sampler,
                            .ignore_eos = flags.ignore_eos};
    options.sampler.seed = result.seed;

    // Piece by piece, so that a signal is met between pieces; what an encoder reads is one.
    const std::size_t piece =
        session.model().info().encoder_decoder ? std::max<std::size_t>(result.prompt.size(), 1) : 512;
    const Clock::time_point prompt_start = Clock::now();
    for (std::size_t i = 0; i < result.prompt.size() && !stop_requested(); i += piece) {
        session.prefill(std::span(result.prompt).subspan(i, std::min(piece, result.prompt.size() - i)));
    }
    result.prompt_ms = ms_since(prompt_start);

    StreamDecoder decoder(session.model().tokenizer(), {.skip_special = true});
    StopStrings stop(flags.stop);
    const auto give = [&](const std::string& text) {
        result.text += text;
        if (on_text && !text.empty()) on_text(text);
    };
    result.ended = "interrupted";
    if (!stop_requested()) {
        // The prompt's time ends with the first token, whose logits are the prompt's.
        Clock::time_point start = Clock::now();
        bool first = true;
        result.tokens = session.generate(options, [&](Token token) {
            if (std::exchange(first, false)) {
                start = Clock::now();
                result.prompt_ms = ms_since(prompt_start);
            }
            give(stop.append(decoder.append(token)));
            return !stop.found() && !stop_requested();
        });
        result.generate_ms = ms_since(start);
        const auto n = static_cast<std::int64_t>(result.tokens.size());
        result.ended = stop.found()                              ? "stop"
                       : stop_requested()                        ? "interrupted"
                       : n == options.max_tokens                 ? "length"
                       : session.position() == session.context() ? "context"
                                                                 : "eos";
    }
    if (!stop.found()) give(stop.append(decoder.finish()));
    give(stop.finish());
    if (result.ended == "context") note("the context of {} positions is full", session.context());
    result.memory = session.memory();
    return result;
}

Json timings_json(const Generation& g) {
    const auto rate = [](std::size_t n, double ms) {
        return ms > 0 ? Json(static_cast<double>(n) * 1000 / ms) : Json(nullptr);
    };
    const auto each = [](std::size_t n, double ms) {
        return n > 0 ? Json(ms / static_cast<double>(n)) : Json(nullptr);
    };
    return {{"load_ms", g.load_ms},
            {"prompt_n", g.prompt.size()},
            {"prompt_ms", g.prompt_ms},
            {"prompt_per_token_ms", each(g.prompt.size(), g.prompt_ms)},
            {"prompt_per_second", rate(g.prompt.size(), g.prompt_ms)},
            {"predicted_n", g.tokens.size()},
            {"predicted_ms", g.generate_ms},
            {"predicted_per_token_ms", each(g.tokens.size(), g.generate_ms)},
            {"predicted_per_second", rate(g.tokens.size(), g.generate_ms)}};
}

Json memory_json(const MemoryUse& memory) {
    const std::optional<std::int64_t> peak = peak_resident_bytes();
    return {{"weights", memory.weights},
            {"kv", memory.kv},
            {"scratch", memory.scratch},
            {"rss_peak", peak ? Json(*peak) : Json(nullptr)}};
}

}  // namespace tinyllm
