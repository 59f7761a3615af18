// tinyllm eval: benchmark tasks put to one model.
#include "tinyllm/system.h"
#include "tools/command.h"
#include "tools/eval/run.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"

namespace tinyllm {
namespace {

std::function<int()> add_eval(CLI::App& app) {
    auto options = std::make_shared<eval::RunOptions>();
    add_model_argument(app, options->model);
    app.add_option("-t,--tasks", options->tasks, "tasks, comma-separated; `all` for every task that has data")
        ->delimiter(',')
        ->required()
        ->allow_extra_args(false);
    app.add_option("--data", options->data,
                   "folder searched for the official files, task=FILE[,LABELS] (questions) or "
                   "task:train=FILE[,LABELS] (examples); repeatable; default: what `tinyllm pull data:TASK` "
                   "and `tinyllm pull data:TASK:train` fetched")
        ->allow_extra_args(false);
    app.add_option("--protocol", options->protocol,
                   "lm-eval (as lm-evaluation-harness) or study (as the published study)")
        ->capture_default_str();
    app.add_option("-f,--num-fewshot", options->num_fewshot,
                   "examples in front of each question, drawn from the task's training file (lm-eval only)")
        ->capture_default_str();
    app.add_option("-L,--limit", options->limit, "first N rows of a task, or a share below 1");
    app.add_option("-b,--batch-size", options->batch,
                   "questions run at once, or auto: as many as keep the machine busy (--protocol study: 1). "
                   "Latencies per question are measured at 1 only")
        ->transform(CLI::Transformer({{"auto", "0"}}))
        ->default_str("auto");
    app.add_flag("-s,--log-samples", options->log_samples, "write samples_<task>.jsonl (needs -o)");
    app.add_option("--threshold", options->thresholds,
                   "task=accuracy; below it the exit code is 8; repeatable")
        ->allow_extra_args(false);
    add_output_options(app, options->output);
    app.get_option("--output")->description("folder for results.json and samples");
    app.add_flag("--exact", options->exact, "fp32 arithmetic and cache: what parity is judged by");
    app.add_option("--type", options->type, "round the weights to this type at load");
    app.add_option("--threads", options->threads, "0: one per core of --cores")
        ->check(CLI::Range(0, kMostThreads))
        ->capture_default_str();
    add_cores_flag(app, options->cores);
    app.add_option("--device", options->device, "cpu, cuda, auto, or ref (the scalar specification)")
        ->capture_default_str();
    add_cache_flags(app, options->session);
    add_loading_flags(app, options->packed_cache, options->no_memory_check);
    monitor::add_monitor_flags(app, options->monitor);
    return [options] {
        check_cache_flags(options->session, options->exact);
        return eval::run_eval(*options);
    };
}

}  // namespace

const Command& command_eval() {
    static const Command command{"eval", "Answer benchmark questions and report accuracy", add_eval};
    return command;
}

}  // namespace tinyllm
