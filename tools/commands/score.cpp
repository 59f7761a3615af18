// tinyllm score: log-probabilities of a text's tokens, of a target that an encoder-decoder writes for the
// text, or of a continuation behind a context as the harness splits them.
#include <algorithm>
#include <numeric>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/eval/ask.h"
#include "tools/generation.h"
#include "tools/model_flags.h"
#include "tools/text_input.h"

namespace tinyllm {
namespace {

struct ScoreOptions {
    ModelFlags model;
    TextInput text;
    std::string target_file, context_file, continuation_file;
    bool logits = false;
    OutputOptions output;
};

/// Exact: a float is a double, and doubles print so that they round-trip. Non-finite values become null.
Json float_json(float value) {
    return std::isfinite(value) ? Json(static_cast<double>(value)) : Json(nullptr);
}

Json floats_json(std::span<const float> values) {
    Json all = Json::array();
    for (float value : values) all.push_back(float_json(value));
    return all;
}

/// One row per token, and the sum of `values`.
void deliver_table(const ScoreOptions& options, const Tokenizer& tokenizer, const std::vector<Token>& tokens,
                   const Json& values, double sum) {
    if (options.logits) fail(ErrorKind::usage, "--logits needs --json");
    Table table{.columns = {{"token", "token"}, {"piece", "piece"}, {"logprob", "logprob", 6}}, .rows = {}};
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        table.rows.push_back(
            {{"token", tokens[i]}, {"piece", tokenizer.piece(tokens[i])}, {"logprob", values[i]}});
    }
    if (options.output.format != Format::csv) table.rows.push_back({{"piece", "sum"}, {"logprob", sum}});
    deliver(options.output, render(table, options.output.format));
}

double sum_of(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

/// The target's tokens and, wherever the tokenizer does not add it by itself, the end token.
std::vector<Token> target_tokens(const Model& model, std::string_view text) {
    std::vector<Token> tokens = model.tokenizer().encode(text);
    const std::optional<Token> end = model.tokenizer().eos();
    if (end && (tokens.empty() || tokens.back() != *end)) tokens.push_back(*end);
    if (tokens.empty()) fail(ErrorKind::usage, "the target has no tokens, and the tokenizer no end token");
    return tokens;
}

int score_target(const ScoreOptions& options, const std::shared_ptr<const Model>& model,
                 const std::string& text) {
    const std::string target = options.target_file.empty() ? "" : read_file(options.target_file);
    const std::vector<Token> tokens = encode_prompt(model->tokenizer(), text);
    const std::vector<Token> targets = target_tokens(*model, target);
    // Nothing is cut here: relative positions have no end.
    SessionOptions session_options = options.model.session;
    session_options.context =
        std::max({model->info().context, std::ssize(tokens), static_cast<std::ptrdiff_t>(targets.size())});
    Session session(model, session_options);
    std::vector<float> last;
    const std::vector<float> logprobs =
        session.target_logprobs(tokens, targets, options.logits ? &last : nullptr);
    if (!options.output.json()) {
        deliver_table(options, model->tokenizer(), targets, floats_json(logprobs), sum_of(logprobs));
        return 0;
    }
    Json result = {{"tokens", tokens}, {"target_tokens", targets}, {"logprobs", floats_json(logprobs)}};
    if (options.logits) result["next_logits"] = floats_json(last);
    deliver(options.output, dump_json(result) + '\n');
    return 0;
}

int score_text(const ScoreOptions& options) {
    const std::string text = options.text.read();
    const auto model = load_model(options.model);
    if (model->info().encoder_decoder) return score_target(options, model, text);
    if (!options.target_file.empty()) {
        fail(ErrorKind::usage,
             "--target-file is for encoder-decoders; {} continues a context: give --context-file and "
             "--continuation-file",
             model->info().architecture);
    }
    Session session(model, options.model.session);
    const std::vector<Token> tokens = model->tokenizer().encode(text);
    if (tokens.empty()) fail(ErrorKind::usage, "the text has no tokens to score");
    check_fits(tokens.size(), session);
    std::vector<float> next;
    const std::vector<float> logprobs = session.token_logprobs(tokens, options.logits ? &next : nullptr);

    Json values = floats_json(logprobs);
    values.insert(values.begin(), nullptr);
    if (!options.output.json()) {
        deliver_table(options, model->tokenizer(), tokens, values, sum_of(logprobs));
        return 0;
    }
    Json result = {{"tokens", tokens}, {"logprobs", values}};
    if (options.logits) result["next_logits"] = floats_json(next);
    deliver(options.output, dump_json(result) + '\n');
    return 0;
}

int score_pair(const ScoreOptions& options) {
    const eval::Pair pair{read_file(options.context_file), read_file(options.continuation_file)};
    const auto model = load_model(options.model);
    const eval::Scorer scorer = eval::make_scorer(model, options.model.session);
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

std::function<int()> add_score(CLI::App& app) {
    auto options = std::make_shared<ScoreOptions>();
    add_model_flags(app, options->model);
    add_cache_flags(app, options->model.session);
    options->text.add(app, "text", "TEXT", "--text-file");
    app.add_flag("--logits", options->logits,
                 "Also the logits behind the last token, the whole vocabulary (--json)");
    app.add_option("--target-file", options->target_file,
                   "Encoder-decoders: score this target for the text, with its end token")
        ->type_name("FILE");
    CLI::Option* context = app.add_option("--context-file", options->context_file,
                                          "Score a continuation behind the context in this file")
                               ->type_name("FILE")
                               ->excludes(app.get_option("text"))
                               ->excludes(app.get_option("--text-file"))
                               ->excludes(app.get_option("--target-file"));
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
    static const Command command{
        "score", "Log-probabilities of a text, or of a continuation behind a context", add_score};
    return command;
}

}  // namespace tinyllm
