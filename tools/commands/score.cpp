// tinyllm score: log-probabilities of a text's tokens, or of a continuation behind a context as the harness
// splits them.
#include "engine/fail.h"
#include "tools/command.h"
#include "tools/eval/ask.h"
#include "tools/generation.h"
#include "tools/model_flags.h"
#include "tools/text_input.h"

namespace tinyllm {
namespace {

struct Options {
    ModelFlags model;
    TextInput text;
    std::string context_file, continuation_file;
    bool logits = false;
    OutputOptions output;
};

/// Exact: a float is a double, and doubles print so that they round-trip. Non-finite values become null.
Json float_json(float value) {
    return std::isfinite(value) ? Json(static_cast<double>(value)) : Json(nullptr);
}

int score_text(const Options& options) {
    const std::string text = options.text.read();
    const auto model = load_model(options.model);
    Session session(model, options.model.session);
    const std::vector<Token> tokens = model->tokenizer().encode(text);
    if (tokens.empty()) fail(ErrorKind::usage, "the text has no tokens to score");
    check_fits(tokens.size(), session);
    std::vector<float> next;
    const std::vector<float> logprobs = session.token_logprobs(tokens, options.logits ? &next : nullptr);

    Json values = Json::array({nullptr});
    double sum = 0;
    for (float value : logprobs) {
        values.push_back(float_json(value));
        sum += static_cast<double>(value);
    }
    if (options.output.json()) {
        Json result = {{"tokens", tokens}, {"logprobs", values}};
        if (options.logits) {
            Json logits = Json::array();
            for (float value : next) logits.push_back(float_json(value));
            result["next_logits"] = std::move(logits);
        }
        deliver(options.output, dump_json(result) + '\n');
        return 0;
    }
    if (options.logits) fail(ErrorKind::usage, "--logits needs --json");
    Table table{.columns = {{"token", "token"}, {"piece", "piece"}, {"logprob", "logprob", 6}}, .rows = {}};
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        table.rows.push_back(
            {{"token", tokens[i]}, {"piece", model->tokenizer().piece(tokens[i])}, {"logprob", values[i]}});
    }
    if (options.output.format != Format::csv) table.rows.push_back({{"piece", "sum"}, {"logprob", sum}});
    deliver(options.output, render(table, options.output.format));
    return 0;
}

int score_pair(const Options& options) {
    const eval::Pair pair{read_file(options.context_file), read_file(options.continuation_file)};
    const auto model = load_model(options.model);
    const eval::Scorer scorer = eval::make_scorer(model);
    const eval::PairTokens split = eval::encode_pair(scorer, pair, options.continuation_file);
    const ScoreRequest request{split.context, {split.continuation}};
    const Score score = scorer.loglikelihood(std::span(&request, 1)).front().front();
    const Json result = {{"logprob", std::isfinite(score.logprob) ? Json(score.logprob) : Json(nullptr)},
                         {"n_tokens", score.n_tokens},
                         {"is_greedy", score.is_greedy},
                         {"context_tokens", split.context},
                         {"tokens", split.continuation}};
    if (options.output.json()) {
        deliver(options.output, dump_json(result) + '\n');
        return 0;
    }
    const Table table{.columns = {{"logprob", "logprob", 6}, {"n_tokens", "tokens"}, {"is_greedy", "greedy"}},
                      .rows = {result}};
    deliver(options.output, render(table, options.output.format));
    return 0;
}

std::function<int()> add(CLI::App& app) {
    auto options = std::make_shared<Options>();
    add_model_flags(app, options->model);
    options->text.add(app, "text", "TEXT", "--text-file");
    app.add_flag("--logits", options->logits,
                 "Also the logits behind the last token, the whole vocabulary (--json)");
    CLI::Option* context = app.add_option("--context-file", options->context_file,
                                          "Score a continuation behind the context in this file")
                               ->type_name("FILE")
                               ->excludes(app.get_option("text"))
                               ->excludes(app.get_option("--text-file"));
    CLI::Option* continuation =
        app.add_option("--continuation-file", options->continuation_file, "The continuation to score")
            ->type_name("FILE");
    context->needs(continuation);
    continuation->needs(context);
    add_output_options(app, options->output);
    return [options] { return options->context_file.empty() ? score_text(*options) : score_pair(*options); };
}

}  // namespace

const Command& command_score() {
    static const Command command{"score",
                                 "Log-probabilities of a text, or of a continuation behind a context", add};
    return command;
}

}  // namespace tinyllm
