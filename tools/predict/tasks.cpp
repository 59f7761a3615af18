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

// Means by GPT-2's vocabulary over the official files; made by bench/task_tokens.py.
constexpr TaskLengths kTasks[] = {
    {"arc_challenge", 1, 30, 4.0, 6.0, 98}, {"arc_easy", 1, 28, 4.0, 4.4, 86},
    {"boolq", 1, 145, 2.0, 1.0, 175},       {"hellaswag", 1, 29, 4.0, 13.8, 122},
    {"openbookqa", 1, 12, 4.0, 3.4, 73},    {"piqa", 1, 14, 2.0, 23.0, 92},
    {"social_iqa", 1, 28, 3.0, 3.7, 79},    {"winogrande", 2, 17, 1.0, 5.4, 59},
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
