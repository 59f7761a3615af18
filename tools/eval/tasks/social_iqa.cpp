// SocialIQA: what people feel, want and do. Labels count from 1.
#include "tools/eval/task.h"

namespace tinyllm {
namespace {

int fits(const eval::Json& row, eval::Protocol) {
    return row.contains("context") && row.contains("answerA") && row.contains("answerC");
}

eval::Example read(const eval::Row& row) {
    const std::string& context = row.text("context");
    const std::string& question = row.text("question");
    const std::vector<std::string> answers = {row.text("answerA"), row.text("answerB"), row.text("answerC")};
    const int label = static_cast<int>(row.label("label", 1, 3));
    eval::Example example;
    example.doc = {{"context", context},    {"question", question},  {"answerA", answers[0]},
                   {"answerB", answers[1]}, {"answerC", answers[2]}, {"label", std::to_string(label)}};
    eval::set_continuations(example, "Q: " + context + " " + question + "\nA:", answers);
    example.gold = label - 1;
    example.target = label - 1;
    example.prompt = eval::lettered_prompt("Context: " + context + "\nQuestion: " + question, answers);
    example.letters = 3;
    example.prompt_gold = label - 1;
    return example;
}

}  // namespace

const eval::Task& task_social_iqa() {
    static const eval::Task task{
        .name = "social_iqa",
        .title = "SocialIQA",
        .dataset = "lighteval/siqa",
        .config = "default",
        .version = 0.0,
        .normalised = false,
        .scored = eval::Split::dev,
        .study_rows = 1000,
        .options_in_context = false,
        .files = {{"dev.jsonl", eval::Split::dev, 1954}},
        .training_files = {"train.jsonl"},
        .training_rows = 33410,
        .path_words = {},
        .not_in_path = {},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
