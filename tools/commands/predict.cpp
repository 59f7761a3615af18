// tinyllm predict: what a model would take on a board, by arithmetic; nothing of the weights is read.
#include "tools/predict/predict.h"

#include "engine/fail.h"
#include "tinyllm/system.h"
#include "tools/board.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/predict/tasks.h"

namespace tinyllm {
namespace {

struct PredictOptions {
    std::string model, board = "this", calibrate, protocol = "lm-eval", task, device = "auto", gpu_mode;
    std::string cores;
    std::vector<std::string> types = {"stored"};
    std::vector<int> threads;
    double free_gb = 0;
    predict::Run run;
    OutputOptions output;
};

Json estimated(const std::optional<double>& value) {
    return value ? Json(*value) : Json();
}

/// Every figure's key ends in "_estimated".
Json row_json(const std::string& type, const predict::Run& run, int threads, const predict::Estimate& e) {
    const bool gpu = run.device == "cuda";
    return {{"type", type},
            {"device", run.device},
            {"gpu_mode", gpu ? Json(run.gpu_mode) : Json()},
            {"n_threads", gpu ? Json() : Json(threads)},
            {"n_prompt", run.prompt},
            {"n_gen", run.generate},
            {"n_depth", run.depth},
            {"question_contexts", run.question.contexts},
            {"question_tokens", run.question.prompt},
            {"question_answers", run.question.answers},
            {"question_answer_tokens", run.question.answer},
            {"peak_bytes_estimated", e.memory.peak},
            {"weights_bytes_estimated", e.memory.weights},
            {"kv_bytes_estimated", e.memory.kv},
            {"scratch_bytes_estimated", e.memory.scratch},
            {"fits_estimated", e.fits ? Json(*e.fits) : Json()},
            {"question_ms_estimated", e.question_ms},
            {"prompt_ms_estimated", e.prompt_ms},
            {"prefill_tokens_per_s_estimated", e.prompt_tokens_per_s},
            {"token_ms_estimated", e.token_ms},
            {"decode_tokens_per_s_estimated", e.tokens_per_s},
            {"load_ms_estimated", estimated(e.load_ms)},
            {"prompt_flops_estimated", e.prompt_flops},
            {"token_bytes_estimated", e.token_bytes}};
}

/// The rows as tables show them.
Table shown(const std::vector<Json>& rows, Format format) {
    Table table{.columns = {}, .rows = rows};
    if (format == Format::csv) {
        for (const auto& item : rows.front().items()) table.columns.push_back({item.key(), item.key()});
        return table;
    }
    table.columns = {{"type", "type"},
                     {"where", "on"},
                     {"peak", "peak memory, estimated"},
                     {"fits", "fits, estimated"},
                     {"question_ms_estimated", "ms a question, estimated", 1},
                     {"prefill_tokens_per_s_estimated", "prefill tok/s, estimated", 1},
                     {"decode_tokens_per_s_estimated", "decode tok/s, estimated", 1},
                     {"load_ms_estimated", "load ms, estimated", 0}};
    for (Json& row : table.rows) {
        row["where"] = row["n_threads"].is_null() ? "GPU, " + row["gpu_mode"].get<std::string>() + " GB/s"
                                                  : fmt::format("{} thread{}", row["n_threads"].get<int>(),
                                                                row["n_threads"] == 1 ? "" : "s");
        row["peak"] = show_bytes(row["peak_bytes_estimated"].get<std::int64_t>());
        row["fits"] = row["fits_estimated"].is_null()     ? "not known"
                      : row["fits_estimated"].get<bool>() ? "yes"
                                                          : "no";
    }
    return table;
}

predict::Question question_of(const PredictOptions& options) {
    predict::Question question = options.run.question;
    const bool letter = options.protocol == "study";
    if (!options.task.empty()) question = predict::task_question(options.task, letter);
    if (letter) question.answers = question.answer = 0;
    return question;
}

int calibrate(const PredictOptions& options) {
    const int threads = options.threads.empty() ? 0 : options.threads.front();
    const predict::Board board = predict::measure_board(threads, options.cores);
    write_file(options.calibrate, dump_json_pretty(predict::board_json(board)) + '\n');
    note("tinyllm: {}: measured; give it as --board", options.calibrate);
    return 0;
}

/// Of the board, in a line for people.
void say_where_from(const predict::Subject& subject, const predict::Board& board) {
    if (subject.from_shape)
        note("tinyllm: {} is not on this machine: estimated from its known shape, weights as published",
             subject.facts.info.path);
    note("tinyllm: {} ({}): its rates are {}; every figure is estimated", board.title, board.cpu,
         board.measured ? "measured" : "assumed");
}

int predict_model(const PredictOptions& options) {
    const predict::Subject subject = predict::subject_of(options.model);
    predict::Board board =
        options.board == "this"
            ? predict::measure_board(options.threads.empty() ? 0 : options.threads.back(), options.cores)
            : predict::find_board(options.board);
    if (options.free_gb > 0) board.free_bytes = static_cast<std::int64_t>(options.free_gb * 1e9);
    predict::Run run = options.run;
    run.question = question_of(options);
    std::vector<Json> rows;
    const auto add = [&](const std::string& type, int threads) {
        run.threads = threads;
        rows.push_back(row_json(type, run, threads, predict::estimate(subject.facts, type, board, run)));
    };
    const std::vector<int> threads =
        options.threads.empty() ? std::vector<int>{board.threads} : options.threads;
    for (const std::string& type : options.types) {
        if (options.device != "cuda") {
            run.device = "cpu";
            for (int n : threads) add(type, n > 0 ? n : board.threads);
        }
        if (options.device == "cpu" || (options.device == "auto" && board.gpu.empty())) continue;
        run.device = "cuda";
        if (board.gpu.empty() || !options.gpu_mode.empty()) {
            run.gpu_mode = options.gpu_mode;
            add(type, 0);
        } else {
            for (const predict::GpuMode& mode : board.gpu) {
                run.gpu_mode = mode.name;
                add(type, 0);
            }
        }
    }
    say_where_from(subject, board);
    const Format format = options.output.format;
    if (!options.output.json()) {
        deliver(options.output, render(shown(rows, format), format));
        return 0;
    }
    const ModelInfo& info = subject.facts.info;
    Json document = {{"schema", "tinyllm.predict/1"},
                     {"figures", "estimated"},
                     {"model", options.model},
                     {"facts_from", subject.from_shape ? "shape" : "file"},
                     {"architecture", info.architecture},
                     {"parameters", info.parameters},
                     {"protocol", options.protocol},
                     {"task", options.task.empty() ? Json() : Json(options.task)},
                     {"exact", run.exact},
                     {"board", predict::board_json(board)},
                     {"rows", rows}};
    deliver(options.output,
            format == Format::json ? dump_json_pretty(document) + '\n' : dump_json(document) + '\n');
    return 0;
}

std::function<int()> add_predict(CLI::App& app) {
    auto options = std::make_shared<PredictOptions>();
    CLI::Option* model = add_model_argument(app, options->model, false);
    model->description(
        "Hugging Face folder, .gguf file, org/name[@revision] in the hub cache, or one of the study's "
        "checkpoints by its id, of which no file is needed");
    std::string boards = "this (measured now)";
    for (const std::string& name : predict::board_names()) boards += ", " + name;
    app.add_option("--board", options->board, "Board: " + boards + ", or a board's FILE")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option(
           "--type", options->types,
           "Weight types, comma-separated: stored, those of `study --types`, or mixtures such as q4_k_m")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("TYPE,…");
    app.add_option("-t,--threads", options->threads,
                   "Thread counts; 0: the board's fastest cluster (default)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("N,…")
        ->check(CLI::Range(0, kMostThreads));
    add_cores_flag(app, options->cores);
    app.add_option("--device", options->device, "cpu, cuda, or auto: both where the board has a GPU")
        ->type_name("NAME")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
    app.add_option("--gpu-mode", options->gpu_mode, "One of the board's GPU modes; default: all")
        ->type_name("MODE");
    app.add_option("-p,--n-prompt", options->run.prompt, "Tokens of the prompt whose speed is told")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    app.add_option("-n,--n-gen", options->run.generate, "Tokens generated behind it")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    app.add_option("-d,--n-depth", options->run.depth, "Positions in the cache before the prompt")
        ->type_name("N")
        ->check(CLI::Range(0, 1 << 24))
        ->capture_default_str();
    app.add_option("--protocol", options->protocol,
                   "How a question is asked: lm-eval (log-likelihood of its answers), study (a letter)")
        ->check(CLI::IsMember({"lm-eval", "study"}))
        ->capture_default_str();
    CLI::Option* task =
        app.add_option("--task", options->task, "A question as long as this task's are on average")
            ->type_name("NAME");
    app.add_option("--question-tokens", options->run.question.prompt, "Tokens before a question's answers")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str()
        ->excludes(task);
    app.add_option("--answers", options->run.question.answers, "Answers of a question")
        ->type_name("N")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str()
        ->excludes(task);
    app.add_option("--answer-tokens", options->run.question.answer, "Tokens of an answer")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str()
        ->excludes(task);
    app.add_flag("--exact", options->run.exact, "With fp32 arithmetic and cache");
    add_cache_flags(app, options->run.session);
    app.add_option("--free-memory", options->free_gb,
                   "GB that the board leaves to a model, in place of its own")
        ->type_name("GB")
        ->check(above_zero());
    app.add_option("--calibrate", options->calibrate,
                   "Measure this machine, write it as a board's FILE, and end")
        ->type_name("FILE")
        ->excludes(model);
    add_output_options(app, options->output);
    return [options, model] {
        if (!options->calibrate.empty()) return calibrate(*options);
        if (model->count() == 0) fail(ErrorKind::usage, "predict: MODEL or --calibrate FILE is missing");
        check_cache_flags(options->run.session, options->run.exact);
        return predict_model(*options);
    };
}

}  // namespace

const Command& command_predict() {
    static const Command command{
        "predict", "Estimated memory and speed of a model on a board, without loading it", add_predict};
    return command;
}

}  // namespace tinyllm
