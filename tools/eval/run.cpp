#include "tools/eval/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "engine/fail.h"
#include "tinyllm/system.h"
#include "tools/board.h"
#include "tools/eval/few_shot.h"
#include "tools/eval/find_data.h"
#include "tools/eval/machine.h"
#include "tools/eval/model_files.h"
#include "tools/eval/results.h"
#include "tools/eval/rows_file.h"
#include "tools/eval/table.h"
#include "tools/hub/data_cache.h"
#include "tools/hub/repository.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/monitor/usage.h"

namespace tinyllm::eval {
namespace {

namespace fs = std::filesystem;

struct Threshold {
    std::string task;
    double accuracy;
};

Threshold parse_threshold(const std::string& text) {
    const std::size_t equals = text.find('=');
    std::size_t used = 0;
    double value = NAN;
    try {
        if (equals != std::string::npos) value = std::stod(text.substr(equals + 1), &used);
    } catch (const std::exception&) {
    }
    if (equals == std::string::npos || used != text.size() - equals - 1 || !(value >= 0 && value <= 1))
        fail(ErrorKind::usage, "--threshold: expected task=accuracy with an accuracy in 0..1, found \"{}\"",
             text);
    return {text.substr(0, equals), value};
}

std::vector<const Task*> choose_tasks(const std::vector<std::string>& names, const DataIndex& index,
                                      Protocol protocol) {
    std::vector<const Task*> tasks;
    for (const std::string& name : names) {
        if (name == "all") {
            for (auto* task : all_tasks())
                if (index.try_find(task(), protocol)) tasks.push_back(&task());
            if (tasks.empty()) fail(ErrorKind::not_found, "--data: no file of any task");
            continue;
        }
        tasks.push_back(&find_task(name));
    }
    std::vector<const Task*> unique;
    for (const Task* task : tasks)
        if (std::find(unique.begin(), unique.end(), task) == unique.end()) unique.push_back(task);
    return unique;
}

class Progress {
  public:
    Progress(std::string task, std::size_t total)
        : task_(std::move(task)), total_(total), live_(show_progress()) {}
    ~Progress() {
        if (live_) fmt::print(stderr, "\r\033[K");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void done(std::size_t n) {
        if (live_) fmt::print(stderr, "\r{} {}/{}", task_, n, total_);
    }

  private:
    std::string task_;
    std::size_t total_;
    bool live_;
};

// Longest first, so that a batch holds questions of like length and the largest need of memory shows at once.
std::vector<std::size_t> longest_first(const std::vector<Prepared>& prepared) {
    std::vector<std::size_t> order(prepared.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return prepared[a].tokens > prepared[b].tokens; });
    return order;
}

struct TaskWork {
    const Task* task;
    Questions questions;
    std::string examples_file;  // with examples in front of the questions: what they were drawn from
    std::vector<Prepared> prepared = {};
    std::vector<Answer> answers = {};
    monitor::Window measured = {};  // while it was answered
};

// The questions are those that `tinyllm pull` fetched.
bool asks_pulled(const RunOptions& options) {
    return options.data.empty();
}

// The file that the examples were drawn from. As the harness does with a data set of one split, the
// questions' own file stands in for a training file that is not there.
std::string add_examples(const RunOptions& options, const DataIndex& index, TaskWork& work) {
    const auto training = index.find_training(*work.task);
    const DataFile& file = training ? *training : work.questions.file;
    if (!training) {
        const std::string name = std::string(work.task->name) + std::string(kTrainingMark);
        tinyllm::note(
            "tinyllm: {}: no training file ({}; or --data {}=FILE[,LABELS]{}): examples are drawn from {}, "
            "and figures differ from those with examples from the training split",
            work.task->name, fmt::join(work.task->training_files, ", "), name,
            asks_pulled(options) ? hub::pull_hint("data:" + name) : "", file.rows.string());
    }
    std::vector<Row> rows = read_rows(file.rows, file.labels);
    if (const std::string note = rows.empty() ? "" : work.task->read(rows.front()).note; !note.empty())
        work.questions.notes.push_back("examples: " + note);
    FewShot few_shot(*work.task, std::move(rows), file.rows.string(),
                     static_cast<std::size_t>(options.num_fewshot));
    for (Example& question : work.questions.examples) few_shot.add_to(question);
    return file.rows.string();
}

// Tokens of the questions that run at once where no number of questions is asked for: a few steps of
// SessionOptions::chunk rows, so that few of them are partly filled.
constexpr std::size_t kBatchTokens = 2048;

// Whether questions run one by one, each of them timed.
bool one_by_one(const RunOptions& options) {
    return options.batch == 1 || (options.batch == 0 && options.protocol == "study");
}

// How many questions of `order` from `start` on run at once.
std::size_t batch_from(const TaskWork& work, const std::vector<std::size_t>& order, std::size_t start,
                       const RunOptions& options) {
    if (one_by_one(options)) return 1;
    const std::size_t left = order.size() - start;
    if (options.batch > 0) return std::min(left, static_cast<std::size_t>(options.batch));
    std::size_t n = 0;
    for (std::size_t tokens = 0; n < left && tokens < kBatchTokens; ++n)
        tokens += work.prepared[order[start + n]].tokens;
    return n;
}

void answer_all(const Asker& asker, TaskWork& work, const RunOptions& options, monitor::Sampler& sampler) {
    const std::vector<Example>& examples = work.questions.examples;
    for (std::size_t i = 0; i < examples.size(); ++i)
        work.prepared.push_back(
            asker.prepare(examples[i], fmt::format("{} question {}", work.task->name, i)));
    const std::vector<std::size_t> order = longest_first(work.prepared);
    work.answers.resize(examples.size());
    if (!examples.empty()) {  // warm-up: the first run pays for memory that the others find ready
        const Prepared* first = &work.prepared[order[0]];
        const Example* example = &examples[order[0]];
        asker.answer(std::span(&first, 1), std::span(&example, 1));
    }
    Progress progress(std::string(work.task->name), examples.size());
    sampler.begin();
    for (std::size_t start = 0; start < order.size();) {
        const std::size_t end = start + batch_from(work, order, start, options);
        std::vector<const Prepared*> some;
        std::vector<const Example*> theirs;
        for (std::size_t i = start; i < end; ++i) {
            some.push_back(&work.prepared[order[i]]);
            theirs.push_back(&examples[order[i]]);
        }
        std::vector<Answer> answers = asker.answer(some, theirs);
        for (std::size_t i = 0; i < answers.size(); ++i)
            work.answers[order[start + i]] = std::move(answers[i]);
        progress.done(end);
        start = end;
    }
    work.measured = sampler.end();
}

std::size_t correct_of(const std::vector<Answer>& answers) {
    return static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
        return answer.prediction == answer.gold;
    }));
}

/// What the sensors said over all tasks, and what of it belongs to each.
void add_usage(Json& results, const std::vector<TaskWork>& work, const std::optional<double>& idle_watts,
               const Json& facts) {
    monitor::Window all;
    std::size_t questions = 0, correct = 0;
    for (const TaskWork& one : work) {
        const std::size_t right = correct_of(one.answers);
        Json usage = monitor::usage_json(one.measured, idle_watts, facts);
        monitor::add_joules_per_question(usage, one.answers.size(), static_cast<double>(right));
        Json& task = results["tinyllm"]["tasks"][std::string(one.task->name)];
        for (const char* key : {"energy_J", "energy_net_J", "joules_per_question", "joules_per_question_net",
                                "joules_per_correct", "power_W", "temp_C", "throttled"})
            task[key] = usage.at(key);
        all.add(one.measured);
        questions += one.answers.size();
        correct += right;
    }
    Json usage = monitor::usage_json(all, idle_watts, facts);
    monitor::add_joules_per_question(usage, questions, static_cast<double>(correct));
    Json& top = results["tinyllm"];
    for (const char* key : {"energy_J", "energy_net_J", "joules_per_question", "joules_per_question_net",
                            "joules_per_correct", "power_W", "temp_C", "throttled", "clocks", "power_mode"})
        top[key] = usage.at(key);
    top["memory"].update(usage.at("memory"));
    top["monitor"] = std::move(usage);
}

Json tinyllm_json(const RunOptions& options, const std::string& path, const Model& model,
                  const std::vector<TaskRun>& runs) {
    const ModelInfo& info = model.info();
    const ModelFiles files = identify_model(path);
    const auto parameters = static_cast<double>(std::max<std::int64_t>(info.parameters, 1));
    const auto bytes = static_cast<double>(info.weight_bytes);
    std::vector<double> ms;
    for (const TaskRun& run : runs)
        for (const Answer& answer : run.answers) ms.push_back(answer.ms);
    const auto peak = peak_resident_bytes();
    Json result;
    result["model"] = {{"id", options.model},
                       {"sha256", files.sha256},
                       {"architecture", info.architecture},
                       {"parameters", info.parameters},
                       {"bytes", info.weight_bytes},
                       {"file_bytes", files.weight_bytes},
                       {"bits_per_weight", 8 * bytes / parameters},
                       {"ratio_fp32", bytes / (4 * parameters)},
                       {"ratio_fp16", bytes / (2 * parameters)},
                       {"context", info.context}};
    const CacheTypes cache = cache_types(options.session, model.exact());
    const std::string k(dtype_name(cache.k)), v(dtype_name(cache.v));
    result["types"] = {{"weights", std::string(dtype_name(info.main_type))},
                       {"kv", k == v ? k : k + "/" + v}};
    result["exact"] = model.exact();
    result["device"] = info.backend;
    result["threads"] = info.threads;
    result["cores"] = show_cores(info.cores);
    result["latency_ms"] = one_by_one(options) ? latency_json(latency_of(ms)) : Json();
    result["load_ms"] = info.load_ms;
    result["memory"] = {{"rss_peak", peak ? Json(*peak) : Json()}, {"weights", info.weight_bytes}};
    result["machine"] = machine_facts();
    return result;
}

void write_output(const RunOptions& options, const Json& results, const std::vector<TaskRun>& runs,
                  const std::vector<TaskWork>& work) {
    const fs::path folder(options.output.path);
    for (std::size_t i = 0; options.log_samples && i < runs.size(); ++i) {
        std::string lines;
        for (std::size_t k = 0; k < runs[i].answers.size(); ++k)
            lines += dump_json(sample_json(runs[i], k, work[i].prepared[k])) + "\n";
        write_file((folder / fmt::format("samples_{}.jsonl", runs[i].task->name)).string(), lines);
    }
    write_file((folder / "results.json").string(), dump_json_pretty(results) + "\n");
}

void check_options(const RunOptions& options, Protocol protocol) {
    if (options.num_fewshot < 0)
        fail(ErrorKind::usage, "--num-fewshot: expected 0 or more, found {}", options.num_fewshot);
    if (options.num_fewshot > 0 && protocol == Protocol::study)
        fail(ErrorKind::usage,
             "--num-fewshot {}: the study asked without examples; they belong to --protocol lm-eval",
             options.num_fewshot);
    if (options.batch < 0)
        fail(ErrorKind::usage, "--batch-size: expected at least 1, or auto; found {}", options.batch);
    if (options.log_samples && options.output.path.empty())
        fail(ErrorKind::usage, "--log-samples needs --output DIR");
}

// Without --data: what was pulled.
std::vector<std::string> data_or_cache(const RunOptions& options) {
    if (!asks_pulled(options)) return options.data;
    const fs::path cache = hub::data_cache();
    std::error_code error;
    if (!fs::is_directory(cache, error))
        fail(ErrorKind::usage,
             "--data is required: a folder with the official files, or task=FILE[,LABELS]{}",
             hub::pull_hint("data:" + options.tasks.front()));
    return {cache.string()};
}

DataFile questions_of(const Task& task, Protocol protocol, const DataIndex& index,
                      const RunOptions& options) {
    if (asks_pulled(options)) {
        if (auto file = index.try_find(task, protocol)) return *file;
        fail(ErrorKind::not_found, "no questions of {} in {}{}", task.name, hub::data_cache().string(),
             hub::pull_hint(fmt::format("data:{}", task.name)));
    }
    return index.find(task, protocol);
}

}  // namespace

int run_eval(const RunOptions& options) {
    const Protocol protocol = protocol_from_name(options.protocol);
    check_options(options, protocol);
    std::vector<Threshold> thresholds;
    for (const std::string& text : options.thresholds) thresholds.push_back(parse_threshold(text));

    // Everything that can be wrong with the data shows before the model is loaded.
    const DataIndex index(parse_data_arguments(data_or_cache(options)));
    std::vector<TaskWork> work;
    for (const Task* task : choose_tasks(options.tasks, index, protocol)) {
        work.push_back(
            {task,
             load_questions(*task, protocol, questions_of(*task, protocol, index, options), options.limit),
             {}});
        if (options.num_fewshot > 0) work.back().examples_file = add_examples(options, index, work.back());
        for (const std::string& note : work.back().questions.notes)
            tinyllm::note("tinyllm: {}: {}", task->name, note);
    }
    for (const Threshold& threshold : thresholds)
        if (std::none_of(work.begin(), work.end(),
                         [&](const TaskWork& w) { return w.task->name == threshold.task; }))
            fail(ErrorKind::usage, "--threshold {}: that task is not run", threshold.task);

    if (!options.output.path.empty()) {
        std::error_code error;
        fs::create_directories(options.output.path, error);
        if (error)
            fail(ErrorKind::runtime, "{}: cannot be created: {}", options.output.path, error.message());
    }
    ModelOptions model_options{.device = options.device,
                               .threads = options.threads,
                               .cores = options.cores,
                               .exact = options.exact,
                               .type = std::nullopt,
                               .tokenizer = true,
                               .packed_cache = options.packed_cache};
    if (!options.type.empty()) {
        model_options.type = dtype_from_name(options.type);
        if (!model_options.type) fail(ErrorKind::usage, "--type: no type \"{}\"", options.type);
    }
    const std::string path = resolve_model(options.model);
    monitor::Sampler sampler(options.monitor.interval);
    const auto idle_watts = sampler.idle_watts(options.monitor.idle);
    const auto model = load_model({path, model_options, options.session, options.no_memory_check});
    const Asker asker(make_scorer(model, options.session), protocol);
    std::vector<TaskRun> runs;
    for (TaskWork& one : work) {
        answer_all(asker, one, options, sampler);
        runs.push_back({one.task, protocol, &one.questions.examples, one.answers, one.questions.rows,
                        one.questions.file.rows.string(), one_by_one(options), options.num_fewshot,
                        one.examples_file});
        const std::size_t cut = figures_of(one.answers).cut;
        if (cut)
            note("tinyllm: {}: {} {} longer than {} tokens and lost their {}", one.task->name, cut,
                 protocol == Protocol::study ? "prompts were" : "requests were",
                 protocol == Protocol::study ? std::min<std::int64_t>(512, asker.scorer().context)
                                             : asker.scorer().context,
                 protocol == Protocol::study ? "end" : "beginning");
    }

    Json results = results_json(runs);
    results["config"] = {{"model", "tinyllm"},
                         {"model_args", "pretrained=" + options.model},
                         {"model_num_parameters", model->info().parameters},
                         {"protocol", options.protocol},
                         {"num_fewshot", options.num_fewshot},
                         {"fewshot_seed", options.num_fewshot > 0 ? Json(kFewShotSeed) : Json()},
                         {"batch_size", options.batch > 0 ? Json(options.batch) : Json("auto")},
                         {"device", options.device},
                         {"limit", options.limit > 0 ? Json(options.limit) : Json()},
                         {"exact", options.exact}};
    results["tinyllm"].update(tinyllm_json(options, path, *model, runs));
    add_usage(results, work, idle_watts, sampler.facts());
    const auto show = [&] {
        if (options.output.format == Format::json) return print(dump_json_pretty(results) + "\n");
        print(render(results_table(results, runs), options.output.format));
        const std::string lacking = monitor::not_measured(results["tinyllm"]["monitor"], sampler.notes());
        if (!lacking.empty()) note("tinyllm: not measured: {}", lacking);
    };
    try {
        if (!options.output.path.empty()) write_output(options, results, runs, work);
    } catch (const Error&) {  // the answers may have taken a day: they are shown all the same
        try {
            show();
        } catch (const ClosedPipe&) {
        }
        throw;
    }
    show();

    int code = 0;
    for (const Threshold& threshold : thresholds) {
        const double acc = results["results"][threshold.task]["acc,none"].get<double>();
        if (acc >= threshold.accuracy) continue;
        log_line(fmt::format("tinyllm: {}: accuracy {:.4f} is below the threshold {}", threshold.task, acc,
                             threshold.accuracy));
        code = static_cast<int>(ErrorKind::check_failed);
    }
    return code;
}

}  // namespace tinyllm::eval
