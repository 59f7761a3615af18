// results.json and samples_<task>.jsonl in lm-evaluation-harness's shape.
#pragma once

#include <string>
#include <vector>

#include "tools/eval/metrics.h"
#include "tools/eval/task.h"

namespace tinyllm::eval {

/// One task's answers with what they answer.
struct TaskRun {
    const Task* task = nullptr;
    Protocol protocol = Protocol::lm_eval;
    const std::vector<Example>* examples = nullptr;
    std::vector<Answer> answers;
    std::size_t rows = 0;  ///< in the data file
    std::string file;
    bool timed = true;          ///< latencies are per question: it was run alone
    int shots = 0;              ///< examples in front of each question
    std::string examples_file;  ///< they were drawn from
};

/// {"alias", "acc,none", "acc_stderr,none", ...} of one task; acc_norm only where the harness reports it.
Json task_results(const Task& task, Protocol protocol, const TaskFigures& figures);

/// {mean, p50, p90, p95, p99, max} in milliseconds.
Json latency_json(const Latency& latency);

/// results, versions, n-shot, n-samples, higher_is_better, configs, config, date, tinyllm.tasks. The caller
/// adds to `config` and `tinyllm`.
Json results_json(const std::vector<TaskRun>& runs);

/// One line of samples_<task>.jsonl.
Json sample_json(const TaskRun& run, std::size_t index, const Prepared& prepared);

}  // namespace tinyllm::eval
