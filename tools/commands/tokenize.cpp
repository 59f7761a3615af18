// tinyllm tokenize: text to ids and back; reads the tokenizer only.
#include <charconv>

#include "engine/fail.h"
#include "tinyllm/tokenizer.h"
#include "tools/command.h"
#include "tools/model_path.h"
#include "tools/output.h"
#include "tools/text_input.h"

namespace tinyllm {
namespace {

struct TokenizeOptions {
    std::string model;
    TextInput text;
    bool no_special = false;
    bool decode = false;
    OutputOptions output;
};

int decode(const TokenizeOptions& options, const Tokenizer& tokenizer) {
    const std::vector<Token> tokens = parse_tokens(options.text.read(), tokenizer.vocab_size());
    const std::string text = tokenizer.decode(tokens, {.skip_special = options.no_special});
    if (options.output.json()) {
        deliver(options.output, dump_json({{"tokens", tokens}, {"text", text}}) + '\n');
    } else {
        deliver(options.output, text);
    }
    return 0;
}

int tokenize(const TokenizeOptions& options) {
    const auto tokenizer = Tokenizer::load(resolve_model(options.model));
    if (options.decode) return decode(options, *tokenizer);

    const std::vector<Token> tokens =
        tokenizer->encode(options.text.read(), {.add_special = !options.no_special});
    if (options.output.json()) {
        Json pieces = Json::array();
        for (Token token : tokens) pieces.push_back(tokenizer->piece(token));
        deliver(options.output, dump_json({{"tokens", tokens}, {"pieces", pieces}}) + '\n');
        return 0;
    }
    Table table{.columns = {{"token", "token"}, {"piece", "piece"}}, .rows = {}};
    for (Token token : tokens) table.rows.push_back({{"token", token}, {"piece", tokenizer->piece(token)}});
    deliver(options.output, render(table, options.output.format));
    return 0;
}

std::function<int()> add_tokenize(CLI::App& app) {
    auto options = std::make_shared<TokenizeOptions>();
    add_model_argument(app, options->model);
    options->text.add(app, "text", "TEXT", "--text-file");
    app.add_flag("--no-special", options->no_special,
                 "Leave out what the tokenizer adds itself (BOS, EOS); with --decode, special tokens");
    app.add_flag("--decode", options->decode, "The text is a list of ids; print their text");
    add_output_options(app, options->output);
    return [options] { return tokenize(*options); };
}

}  // namespace

const Command& command_tokenize() {
    static const Command command{"tokenize", "Token ids and pieces of a text, or back", add_tokenize};
    return command;
}

}  // namespace tinyllm
