// OpenBookQA: the stem alone is the context, nothing around it.
#include "tools/eval/science_row.h"

namespace tinyllm {
namespace {

int fits(const eval::Json& row, eval::Protocol) {
    if (eval::is_official_science(row)) return 3;
    if (row.contains("question_stem")) return 2;
    return row.contains("Question Stem") && row.contains("Choices") ? 1 : 0;
}

eval::Example read(const eval::Row& row) {
    const eval::ScienceRow science = eval::read_science_row(row);
    eval::Example example;
    example.doc = {{"id", science.id},
                   {"question_stem", science.stem},
                   {"choices", eval::choices_columns(science.choices)},
                   {"answerKey", science.key}};
    eval::set_continuations(example, science.stem, science.choices.texts);
    example.gold = science.gold;
    example.target = science.gold;
    eval::set_science_prompt(example, science);
    return example;
}

}  // namespace

const eval::Task& task_openbookqa() {
    static const eval::Task task{
        .name = "openbookqa",
        .title = "OpenBookQA",
        .dataset = "allenai/openbookqa",
        .config = "main",
        .version = 1.0,
        .normalised = true,
        .scored = eval::Split::test,
        .study_rows = 0,
        .options_in_context = false,
        .files = {{"test.jsonl", eval::Split::test, 500},
                  {"dev.jsonl", eval::Split::dev, 500},
                  {"test.tsv", eval::Split::test},
                  {"dev.tsv", eval::Split::dev}},
        .training_files = {"train.jsonl", "train.tsv"},
        .training_rows = 4957,
        .path_words = {},
        .not_in_path = {"arceasy", "arcchallenge"},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
