// tinyllm imatrix: how large the inputs of each weight matrix are on a text, for `quantize --imatrix`.
#include "tinyllm/imatrix.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

struct ImatrixFlags {
    ModelFlags model;
    std::string text_file;
    std::string form = "gguf";
    std::int64_t chunk = 512, chunks = 0;
    bool process_output = false;
    OutputOptions output;
};

/// The text's tokens in pieces of at most `size`, each behind the token that begins every text where the
/// tokenizer has it so.
std::vector<std::vector<Token>> chunks_of(const Tokenizer& tokenizer, const std::string& text,
                                          std::int64_t size) {
    const std::vector<Token> tokens = tokenizer.encode(text, {.add_special = false, .parse_special = true});
    const std::vector<Token> empty = tokenizer.encode("", {});
    const bool begins = !empty.empty() && tokenizer.bos() && empty.front() == *tokenizer.bos();
    std::vector<std::vector<Token>> chunks;
    for (auto at = tokens.begin(); at != tokens.end();) {
        std::vector<Token> chunk;
        if (begins) chunk.push_back(empty.front());
        const auto n = std::min<std::ptrdiff_t>(size - std::ssize(chunk), tokens.end() - at);
        chunk.insert(chunk.end(), at, at + n);
        at += n;
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

/// An encoder reads the first half, the decoder the second.
void run_chunk(Session& session, const std::vector<Token>& chunk) {
    if (!session.model().info().encoder_decoder) {
        session.truncate(0);
        session.prefill(chunk);
        return;
    }
    const std::span<const Token> tokens(chunk);
    const std::size_t half = (chunk.size() + 1) / 2;
    if (half < chunk.size()) (void)session.target_logprobs(tokens.first(half), tokens.subspan(half));
}

Json row_of(const std::string& name, const InputStatistics& input) {
    double sum = 0, largest = 0;
    for (const double square : input.squares) {
        sum += square;
        largest = std::max(largest, square);
    }
    const auto columns = static_cast<double>(std::max<std::size_t>(input.squares.size(), 1));
    const auto rows = static_cast<double>(std::max<std::int64_t>(input.rows, 1));
    return {{"tensor", name},
            {"columns", input.squares.size()},
            {"rows", input.rows},
            {"mean_square", sum / columns / rows},
            {"largest_share", sum > 0 ? largest / sum : 0.0}};
}

int run_imatrix(ImatrixFlags& flags) {
    if (flags.output.path.empty()) fail(ErrorKind::usage, "imatrix: expected -o FILE");
    const ImatrixForm form = flags.form == "dat" ? ImatrixForm::dat : ImatrixForm::gguf;
    const std::string text = read_file(flags.text_file);
    ImportanceMatrix matrix;
    flags.model.load.record = &matrix;
    const auto model = load_model(flags.model);
    const std::int64_t size = std::min(flags.chunk, model->info().context);
    if (size < 2) fail(ErrorKind::usage, "--ctx-size: expected at least 2, found {}", size);
    std::vector<std::vector<Token>> chunks = chunks_of(model->tokenizer(), text, size);
    if (flags.chunks > 0 && std::ssize(chunks) > flags.chunks)
        chunks.resize(static_cast<std::size_t>(flags.chunks));
    if (chunks.empty()) fail(ErrorKind::usage, "{}: the text has no tokens", flags.text_file);

    SessionOptions options = flags.model.session;
    options.context = size;
    Session session(model, options);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        if (show_progress()) fmt::print(stderr, "\r\033[Kchunk {} of {}", i + 1, chunks.size());
        run_chunk(session, chunks[i]);
    }
    if (show_progress()) log_line("");
    matrix.datasets = {flags.text_file};
    matrix.chunks = std::ssize(chunks);
    matrix.chunk_size = size;
    // llama.cpp leaves the head out unless asked.
    std::erase_if(matrix.inputs, [&](const auto& entry) {
        const bool head = entry.first == "output.weight" || entry.first == "token_embd.weight";
        return head && !flags.process_output;
    });
    write_imatrix(matrix, flags.output.path, form);

    Table table{{{"tensor", "tensor"},
                 {"columns", "columns"},
                 {"rows", "rows"},
                 {"mean_square", "mean square", 6},
                 {"largest_share", "largest column's share", 4}},
                {}};
    for (const auto& [name, input] : matrix.inputs) table.rows.push_back(row_of(name, input));
    if (flags.output.format == Format::json) {
        print(dump_json_pretty({{"schema", "tinyllm.imatrix/1"},
                                {"output", flags.output.path},
                                {"chunks", matrix.chunks},
                                {"chunk_size", matrix.chunk_size},
                                {"tensors", table.rows}}) +
              "\n");
    } else {
        print(render(table, flags.output.format));
    }
    return 0;
}

std::function<int()> add_imatrix(CLI::App& app) {
    auto flags = std::make_shared<ImatrixFlags>();
    add_model_flags(app, flags->model);
    app.add_option("-f,--text-file", flags->text_file,
                   "Text like that the model will be used on; - for standard input")
        ->type_name("FILE")
        ->required();
    app.add_option("-c,--ctx-size", flags->chunk, "Tokens of the pieces that the text is run in")
        ->capture_default_str();
    app.add_option("--chunks", flags->chunks, "Run the first so many pieces; 0: all")->check(not_negative());
    app.add_flag("--process-output", flags->process_output, "Record the head's inputs too");
    app.add_option("--output-format", flags->form, "gguf, or dat: llama.cpp's form before it")
        ->check(CLI::IsMember({"gguf", "dat"}))
        ->capture_default_str();
    add_output_options(app, flags->output);
    app.get_option("--output")->description("The importance matrix to write");
    return [flags] { return run_imatrix(*flags); };
}

}  // namespace

const Command& command_imatrix() {
    static const Command command{"imatrix", "Measure on a text which inputs of each weight are large",
                                 add_imatrix};
    return command;
}

}  // namespace tinyllm
