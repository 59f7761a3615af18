// tinyllm generate: a prompt's continuation as tokens and text, repeatable unless a draw is asked for.
#include <algorithm>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/generation.h"
#include "tools/model_flags.h"
#include "tools/signals.h"
#include "tools/text_input.h"

namespace tinyllm {
namespace {

struct GenerateOptions {
    ModelFlags model;
    TextInput text;
    std::string ids;
    SamplingFlags sampling;
    CLI::Option* temperature = nullptr;
    bool greedy = false;
    std::int64_t max_tokens = 128;
    OutputOptions output;
};

std::vector<Token> prompt_tokens(const GenerateOptions& options, const std::string& text,
                                 const Model& model) {
    if (options.ids.empty()) return encode_prompt(model.tokenizer(), text);
    std::vector<Token> tokens = parse_tokens(options.ids, model.info().vocab_size);
    if (tokens.empty()) fail(ErrorKind::usage, "--ids: expected at least one id, found none");
    return tokens;
}

int generate(GenerateOptions& options) {
    const auto asked = [](const CLI::Option* flag) { return flag->count() > 0; };
    const bool draw = std::any_of(options.sampling.sampling.begin(), options.sampling.sampling.end(), asked);
    if (options.greedy && draw)
        fail(ErrorKind::usage, "--greedy takes the most likely token; leave out the sampling flags");
    // Asking for a top-k or the like is asking for a draw, from the model's own distribution unless --temp
    // says otherwise.
    if (draw && !asked(options.temperature)) options.sampling.sampler.temperature = 1;

    const std::string text = options.ids.empty() ? options.text.read() : "";
    const auto model = load_model(options.model);
    const CooperativeStop stop;
    Session session(model, options.model.session);
    const Generation result =
        generate_text(session, prompt_tokens(options, text, *model), options.max_tokens, options.sampling);
    if (options.output.json()) {
        deliver(options.output, dump_json({{"prompt_tokens", result.prompt},
                                           {"tokens", result.tokens},
                                           {"text", result.text},
                                           {"timings", timings_json(result)}}) +
                                    '\n');
    } else {
        deliver(options.output, result.text + '\n');
    }
    return stop_exit_code(0);
}

std::function<int()> add_generate(CLI::App& app) {
    auto options = std::make_shared<GenerateOptions>();
    options->sampling.seed = 0;
    add_model_flags(app, options->model);
    add_session_flags(app, options->model);
    options->text.add(app, "text", "TEXT", "--text-file");
    app.add_option("--ids", options->ids, "The prompt as token ids, separated by commas or spaces")
        ->type_name("ID,…");
    app.add_option("-n,--max-tokens", options->max_tokens,
                   "Most tokens to generate; -1: until the end or a full context")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{-1}, INT64_MAX))
        ->capture_default_str();
    app.add_flag("--greedy", options->greedy,
                 "Always the most likely token; the default unless a sampling flag is given");
    add_sampling_flags(app, options->sampling);
    options->temperature = app.get_option("--temp");
    add_output_options(app, options->output);
    return [options] { return generate(*options); };
}

}  // namespace

const Command& command_generate() {
    static const Command command{"generate", "Continue a prompt; tokens, text and timings as one result",
                                 add_generate};
    return command;
}

}  // namespace tinyllm
