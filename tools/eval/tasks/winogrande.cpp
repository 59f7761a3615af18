// WinoGrande: which option fills the blank. The options stand in the contexts; only the text behind the blank
// is scored.
#include "tools/eval/task.h"
#include "tools/eval/text.h"

namespace tinyllm {
namespace {

int fits(const eval::Json& row, eval::Protocol) {
    return row.contains("sentence") && row.contains("option1") && row.contains("option2");
}

eval::Example read(const eval::Row& row) {
    const std::string& sentence = row.text("sentence");
    const std::string options[] = {row.text("option1"), row.text("option2")};
    const int answer = static_cast<int>(row.label("answer", 1, 2));
    const std::size_t blank = sentence.find('_');
    if (blank == std::string::npos) row.bad("sentence", "a blank \"_\"", eval::describe(sentence));
    const std::string rest = eval::python_strip(sentence.substr(blank + 1));

    eval::Example example;
    example.doc = {{"sentence", sentence},
                   {"option1", options[0]},
                   {"option2", options[1]},
                   {"answer", std::to_string(answer)}};
    for (const std::string& option : options) {
        const std::string context = sentence.substr(0, blank) + option;
        example.pairs.push_back({context, " " + rest});
        example.lengths.push_back(eval::code_points(context));
    }
    example.gold = answer - 1;
    example.target = rest;
    example.prompt =
        "Answer the following question by selecting the most appropriate option. "
        "Answer should be one among [A, B].\n\nContext: " +
        sentence + "\nA) " + options[0] + "\nB) " + options[1] + "\n\n\nAnswer:";
    example.letters = 2;
    example.prompt_gold = answer - 1;
    return example;
}

}  // namespace

const eval::Task& task_winogrande() {
    static const eval::Task task{
        .name = "winogrande",
        .title = "WinoGrande",
        .dataset = "allenai/winogrande",
        .config = "winogrande_xl",
        .version = 1.0,
        .normalised = false,
        .scored = eval::Split::dev,
        .study_rows = 0,
        .options_in_context = true,
        .files = {{"dev.jsonl", eval::Split::dev, 1267}},
        .training_files = {"train_xl.jsonl"},
        .training_rows = 40398,
        .path_words = {},
        .not_in_path = {},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
