#include "tools/predict/tasks.h"

#include <algorithm>

#include "engine/fail.h"

namespace tinyllm::predict {
namespace {

struct TaskLengths {
    const char* task;
    double contexts, context, answers, answer;  // lm-eval
    double prompt;                              // study
};

// Means by GPT-2's vocabulary over the first 1000 rows of the official files, made by bench/task_tokens.py.
// HellaSwag's are of 1000 rows of which 87 are from WikiHow, weighed as the whole validation set is.
constexpr TaskLengths kTasks[] = {
    {"arc_challenge", 1, 31, 4, 6.0, 97}, {"arc_easy", 1, 28, 4, 4.5, 87},   {"boolq", 1, 142, 2, 1.0, 172},
    {"hellaswag", 1, 51, 4, 29.6, 221},   {"openbookqa", 1, 12, 4, 3.4, 73}, {"piqa", 1, 14, 2, 23.1, 92},
    {"social_iqa", 1, 29, 3, 3.9, 80},    {"winogrande", 2, 16, 1, 5.6, 59},
};

}  // namespace

Question task_question(const std::string& task, bool letter) {
    const auto* found = std::find_if(std::begin(kTasks), std::end(kTasks),
                                     [&](const TaskLengths& lengths) { return task == lengths.task; });
    if (found == std::end(kTasks)) {
        std::string known;
        for (const TaskLengths& lengths : kTasks)
            known += (known.empty() ? "" : ", ") + std::string(lengths.task);
        fail(ErrorKind::usage, "--task {}: expected one of {}", task, known);
    }
    if (letter) return {.contexts = 1, .prompt = found->prompt, .answers = 0, .answer = 0};
    return {.contexts = found->contexts,
            .prompt = found->context,
            .answers = found->answers,
            .answer = found->answer};
}

}  // namespace tinyllm::predict
