// tinyllm run: a prompt's continuation, streamed.
#include "engine/fail.h"
#include "tools/command.h"
#include "tools/generation.h"
#include "tools/model_flags.h"
#include "tools/signals.h"
#include "tools/text_input.h"

namespace tinyllm {
namespace {

struct RunOptions {
    ModelFlags model;
    TextInput prompt;
    SamplingFlags sampling;
    std::int64_t max_tokens = 128;
    OutputOptions output;
};

Json run_json(const Generation& g) {
    return {{"text", g.text},
            {"prompt_tokens", g.prompt},
            {"tokens", g.tokens},
            {"stop", g.ended},
            {"seed", g.seed},
            {"timings", timings_json(g)},
            {"memory", memory_json(g.memory)}};
}

int run_text(const RunOptions& options) {
    const std::string text = options.prompt.given() ? options.prompt.read() : "";
    const auto model = load_model(options.model);
    const CooperativeStop stop;
    Session session(model, options.model.session);
    const std::vector<Token> prompt = encode_prompt(model->tokenizer(), text);
    const bool stream = !options.output.json() && options.output.path.empty();
    const Generation result =
        generate_text(session, prompt, options.max_tokens, options.sampling, [&](std::string_view part) {
            if (stream) print(part);
        });
    if (options.output.json()) {
        deliver(options.output, dump_json(run_json(result)) + '\n');
    } else if (stream) {
        print("\n");
    } else {
        deliver(options.output, result.text + '\n');
    }
    return stop_exit_code(0);
}

std::function<int()> add_run(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    SamplerOptions& sampler = options->sampling.sampler;  // llama.cpp's defaults
    sampler.temperature = 0.8f;
    sampler.top_k = 40;
    sampler.top_p = 0.95f;
    sampler.min_p = 0.05f;
    add_model_flags(app, options->model);
    add_session_flags(app, options->model);
    options->prompt.add(app, "prompt-text", "PROMPT", "-f,--file");
    options->prompt.add_flag(app, "-p,--prompt", "The prompt, as a flag");
    app.add_option("-n,--predict,--n-predict", options->max_tokens,
                   "Most tokens to generate; -1: until the end or a full context")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{-1}, INT64_MAX))
        ->capture_default_str();
    add_sampling_flags(app, options->sampling);
    add_output_options(app, options->output);
    return [options] { return run_text(*options); };
}

}  // namespace

const Command& command_run() {
    static const Command command{"run", "Continue a prompt; the text streams to standard output", add_run};
    return command;
}

}  // namespace tinyllm
