#include "tools/eval/task.h"

#include "engine/fail.h"
#include "tools/eval/text.h"

namespace tinyllm::eval {

std::string_view protocol_name(Protocol protocol) {
    return protocol == Protocol::lm_eval ? "lm-eval" : "study";
}

Protocol protocol_from_name(const std::string& name) {
    if (name == "lm-eval") return Protocol::lm_eval;
    if (name == "study") return Protocol::study;
    fail(ErrorKind::usage, "--protocol: expected lm-eval or study, found \"{}\"", name);
}

std::string_view split_name(Split split) {
    switch (split) {
        case Split::test:
            return "test";
        case Split::train:
            return "train";
        default:
            return "validation";
    }
}

const Task& find_task(std::string_view name) {
    std::string names;
    for (auto* task : all_tasks()) {
        if (task().name == name) return task();
        list_item(names, task().name);
    }
    fail(ErrorKind::usage, "no task \"{}\"; there are {}", name, names);
}

void set_continuations(Example& example, const std::string& context,
                       const std::vector<std::string>& choices) {
    for (const std::string& choice : choices) {
        example.pairs.push_back({context, " " + choice});
        example.lengths.push_back(code_points(choice));
    }
}

std::string lettered_prompt(const std::string& body, const std::vector<std::string>& options) {
    std::string letters, lines;
    for (std::size_t i = 0; i < options.size(); ++i) {
        const char letter = static_cast<char>('A' + i);
        list_item(letters, std::string(1, letter));
        lines += fmt::format("{}) {}\n", letter, options[i]);
    }
    return "Answer the following multiple choice question by giving the most appropriate response. "
           "Answer should be one among [" +
           letters + "].\n\n" + body + "\n" + lines + "\nAnswer:";
}

}  // namespace tinyllm::eval
