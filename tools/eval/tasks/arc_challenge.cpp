// ARC-Challenge: the questions of ARC that simple methods fail on. Labels are A..E or 1..5.
#include "tools/eval/science_row.h"

namespace tinyllm {

const eval::Task& task_arc_challenge() {
    static const eval::Task task{
        .name = "arc_challenge",
        .title = "ARC-Challenge",
        .dataset = "allenai/ai2_arc",
        .config = "ARC-Challenge",
        .version = 1.0,
        .normalised = true,
        .scored = eval::Split::test,
        .study_rows = 0,
        .options_in_context = false,
        .files = {{"ARC-Challenge-Test.jsonl", eval::Split::test, 1172},
                  {"ARC-Challenge-Dev.jsonl", eval::Split::dev, 299}},
        .training_files = {"ARC-Challenge-Train.jsonl"},
        .training_rows = 1119,
        .path_words = {"arcchallenge"},
        .not_in_path = {},
        .fits = eval::fits_arc,
        .read = eval::read_arc,
    };
    return task;
}

}  // namespace tinyllm
