// ARC-Easy: grade-school science. Labels are A..E or 1..5.
#include "tools/eval/science_row.h"

namespace tinyllm {

const eval::Task& task_arc_easy() {
    static const eval::Task task{
        .name = "arc_easy",
        .title = "ARC-Easy",
        .dataset = "allenai/ai2_arc",
        .config = "ARC-Easy",
        .version = 1.0,
        .normalised = true,
        .scored = eval::Split::test,
        .study_rows = 0,
        .options_in_context = false,
        .files = {{"ARC-Easy-Test.jsonl", eval::Split::test, 2376},
                  {"ARC-Easy-Dev.jsonl", eval::Split::dev, 570}},
        .training_files = {"ARC-Easy-Train.jsonl"},
        .training_rows = 2251,
        .path_words = {"arceasy"},
        .not_in_path = {},
        .fits = eval::fits_arc,
        .read = eval::read_arc,
    };
    return task;
}

}  // namespace tinyllm
