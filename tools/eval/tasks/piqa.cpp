// PIQA: which of two ways reaches a goal. Solutions may end in spaces, which count.
#include "tools/eval/task.h"

namespace tinyllm {
namespace {

int fits(const eval::Json& row, eval::Protocol) {
    return row.contains("goal") && row.contains("sol1") && row.contains("sol2");
}

eval::Example read(const eval::Row& row) {
    const std::string& goal = row.text("goal");
    const std::vector<std::string> solutions = {row.text("sol1"), row.text("sol2")};
    const int label = static_cast<int>(row.label("label", 0, 2));
    eval::Example example;
    example.doc = {{"goal", goal}, {"sol1", solutions[0]}, {"sol2", solutions[1]}, {"label", label}};
    eval::set_continuations(example, "Question: " + goal + "\nAnswer:", solutions);
    example.gold = label;
    example.target = label;
    example.prompt = eval::lettered_prompt("Question: " + goal, solutions);
    example.letters = 2;
    example.prompt_gold = label;
    return example;
}

}  // namespace

const eval::Task& task_piqa() {
    static const eval::Task task{
        .name = "piqa",
        .title = "PIQA",
        .dataset = "baber/piqa",
        .config = "default",
        .version = 1.0,
        .normalised = true,
        .scored = eval::Split::dev,
        .study_rows = 1000,
        .options_in_context = false,
        .files = {{"valid.jsonl", eval::Split::dev, 1838}, {"dev.jsonl", eval::Split::dev}},
        .training_files = {"train.jsonl"},
        .training_rows = 16113,
        .path_words = {},
        .not_in_path = {},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
