// tinyllm check: whether this board, build or device computes what the reference board did.
#include <algorithm>
#include <filesystem>

#include "engine/fail.h"
#include "tools/check/answers_file.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

// Nats. In exact mode only the order of sums differs between machines. Else activations are rounded to bytes,
// and a last bit before that becomes a step: 0.13 was seen between instruction sets (docs/porting.md).
constexpr double kExactTolerance = 1e-3, kFastTolerance = 0.25;

struct CheckOptions {
    ModelFlags model;
    std::string answers;  // the file
    std::string prompt_file;
    bool record = false;
    double tolerance = 0;
    OutputOptions output;
};

/// Lines of a file; a line that is a JSON text is what it says.
std::vector<std::string> prompts_in(const std::string& path) {
    std::vector<std::string> prompts;
    const std::string text = read_file(path);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        if (line.empty()) continue;
        const auto json = line.front() == '"' ? json_if(line) : std::nullopt;
        prompts.push_back(json && json->is_string() ? json->get<std::string>() : line);
    }
    if (prompts.empty()) fail(ErrorKind::usage, "{}: expected a prompt a line, found none", path);
    return prompts;
}

int record(CheckOptions& options, const std::string& path) {
    check::AnswersFile file;
    std::vector<bool> precisions{true};
    if (!options.model.load.exact) precisions.push_back(false);
    for (const bool exact : precisions) {
        options.model.load.exact = exact;
        const auto model = load_model(options.model);
        const ModelInfo& info = model->info();
        file.architecture = info.architecture;
        file.parameters = info.parameters;
        file.vocab_size = info.vocab_size;
        file.context = info.context;
        file.encoder_decoder = info.encoder_decoder;
        std::vector<check::Answer> prompts;
        if (!options.prompt_file.empty()) {
            prompts = check::prompts_of(*model, prompts_in(options.prompt_file));
        } else {
            prompts = model->has_tokenizer() ? check::prompts_of(*model, check::built_in_prompts())
                                             : check::prompts_of_ids(info);
        }
        if (prompts.empty()) fail(ErrorKind::usage, "{}: no prompt has tokens", info.path);
        file.runs.push_back(check::run_prompts(model, options.model.session, std::move(prompts)));
    }
    check::write_answers(path, file);
    print(path + "\n");
    return 0;
}

void check_same_model(const ModelInfo& info, const check::AnswersFile& file, const std::string& path) {
    if (info.architecture == file.architecture && info.parameters == file.parameters &&
        info.vocab_size == file.vocab_size && info.context == file.context)
        return;
    fail(ErrorKind::check_failed,
         "{}: a {} of {} parameters, {} tokens and {} positions; {} has answers of a {} of {}, {} and {}",
         info.path, info.architecture, info.parameters, info.vocab_size, info.context, path,
         file.architecture, file.parameters, file.vocab_size, file.context);
}

/// The start of a text on one line.
std::string shown_prompt(const check::Answer& answer) {
    if (answer.text.empty()) return fmt::format("{} ids", answer.prompt.size());
    std::string start = answer.text.substr(0, 32);
    std::ranges::replace_if(
        start, [](unsigned char c) { return c < ' '; }, ' ');
    while (!start.empty() && start.size() < answer.text.size() && (start.back() & 0x80)) start.pop_back();
    return start;
}

int compare(const CheckOptions& options, const std::string& path) {
    if (!std::filesystem::exists(path)) {
        fail(ErrorKind::not_found, "{}: no recorded answers there; `tinyllm check {} --record` writes them",
             path, options.model.model);
    }
    const check::AnswersFile file = check::read_answers(path);
    const bool exact = options.model.load.exact;
    const auto run = std::ranges::find(file.runs, exact, &check::Answers::exact);
    if (run == file.runs.end()) {
        fail(ErrorKind::usage, "{}: has answers {} --exact alone", path, exact ? "without" : "with");
    }
    const double tolerance = options.tolerance > 0 ? options.tolerance
                             : exact               ? kExactTolerance
                                                   : kFastTolerance;
    const auto model = load_model(options.model);
    check_same_model(model->info(), file, path);
    const std::vector<check::Deviation> deviations = check::deviations(model, options.model.session, *run);
    Table table{{{"prompt", "prompt"},
                 {"tokens", "tokens"},
                 {"prompt_difference", "behind the prompt", 6},
                 {"text_difference", "in the text", 6},
                 {"greedy", "greedy tokens"},
                 {"verdict", "verdict"}},
                {}};
    std::size_t failed = 0;
    for (std::size_t i = 0; i < deviations.size(); ++i) {
        const check::Deviation& d = deviations[i];
        const check::Answer& recorded = run->answers[i];
        const bool passed = check::passes(d, recorded, tolerance);
        if (!passed) ++failed;
        Json row = {{"prompt", shown_prompt(recorded)}, {"tokens", recorded.prompt.size()}};
        if (d.tokens_differ) {
            row["verdict"] = "other tokens";
        } else {
            row["prompt_difference"] = d.prompt;
            row["text_difference"] = d.text;
            row["greedy"] = fmt::format("{} of {}", d.agreed, recorded.greedy.size());
            if (d.agreed < std::ssize(recorded.greedy)) row["margin"] = d.margin;
            row["verdict"] = passed ? "equal" : "differs";
        }
        table.rows.push_back(row);
    }
    if (options.output.format == Format::json) {
        deliver(options.output, dump_json({{"schema", "tinyllm.check_result/1"},
                                           {"equal", failed == 0},
                                           {"tolerance", tolerance},
                                           {"exact", exact},
                                           {"backend", model->info().backend},
                                           {"recorded_backend", run->backend},
                                           {"prompts", table.rows}}) +
                                    "\n");
    } else {
        deliver(options.output, render(table, options.output.format));
    }
    if (failed > 0) {
        log_line(fmt::format("tinyllm: {}: {} of {} prompts are not answered as {} did, within {} nats",
                             model->info().path, failed, deviations.size(), run->backend, tolerance));
        return static_cast<int>(ErrorKind::check_failed);
    }
    detail("{}: all {} prompts are answered as {} did, within {} nats", model->info().path, deviations.size(),
           run->backend, tolerance);
    return 0;
}

int run_check(CheckOptions& options) {
    check_cache_flags(options.model.session, options.model.load.exact);
    if (!options.prompt_file.empty() && !options.record)
        fail(ErrorKind::usage, "--prompt-file goes with --record: a check asks what was recorded");
    const std::string path =
        options.answers.empty() ? check::answers_path(resolve_model(options.model.model)) : options.answers;
    return options.record ? record(options, path) : compare(options, path);
}

std::function<int()> add_check(CLI::App& app) {
    auto options = std::make_shared<CheckOptions>();
    add_model_flags(app, options->model);
    add_cache_flags(app, options->model.session);
    app.add_flag("--record", options->record,
                 "Write the answers of this machine, with and without --exact (with it: with it alone)");
    app.add_option(
           "--answers", options->answers,
           "The file of answers (default: tinyllm_check.json in the folder, NAME.check.json beside a file)")
        ->type_name("FILE");
    app.add_option(
           "--prompt-file", options->prompt_file,
           "With --record: a prompt a line, as it stands or as a JSON text, instead of the built-in ones")
        ->type_name("FILE");
    app.add_option("--tolerance", options->tolerance,
                   "Largest difference of a log-probability, in nats (default 0.001 with --exact, else 0.25)")
        ->type_name("NATS")
        ->check(above_zero());
    add_output_options(app, options->output);
    return [options] { return run_check(*options); };
}

}  // namespace

const Command& command_check() {
    static const Command command{"check", "Whether this machine answers as the one that recorded did",
                                 add_check};
    return command;
}

}  // namespace tinyllm
