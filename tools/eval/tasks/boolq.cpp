// BoolQ: yes or no to a passage. The harness's passage begins with the page's title ("title -- passage", as
// in SuperGLUE), the study's has none.
#include "tools/eval/task.h"

namespace tinyllm {
namespace {

int fits(const eval::Json& row, eval::Protocol protocol) {
    if (!row.contains("question") || !row.contains("passage")) return 0;
    if (row.contains("title")) return protocol == eval::Protocol::study ? 3 : 2;
    if (row.contains("label")) return protocol == eval::Protocol::study ? 2 : 3;
    return 1;  // neither: Hugging Face's google/boolq
}

eval::Example read(const eval::Row& row) {
    const std::string& question = row.text("question");
    const std::string& text = row.text("passage");
    const char* key = row.has("label") ? "label" : "answer";
    const int label = static_cast<int>(row.label(key, 0, 2));

    eval::Example example;
    std::string with_title = text, without_title = text;
    if (row.has("title")) {
        with_title = row.text("title") + " -- " + text;
    } else if (row.has("label")) {
        const std::size_t mark = text.find(" -- ");
        if (mark != std::string::npos) without_title = text.substr(mark + 4);
    } else {
        example.note = "passages have no title, so the prompts differ from the harness's";
    }
    example.doc = {{"question", question}, {"passage", with_title}};
    if (row.has("idx")) example.doc["idx"] = row.json.at("idx");
    example.doc["label"] = label;
    eval::set_continuations(example, with_title + "\nQuestion: " + question + "?\nAnswer:", {"no", "yes"});
    example.gold = label;
    example.target = label;
    example.prompt =
        eval::lettered_prompt("Passage: " + without_title + "\nQuestion: " + question, {"No", "Yes"});
    example.letters = 2;
    example.prompt_gold = label;
    return example;
}

}  // namespace

const eval::Task& task_boolq() {
    static const eval::Task task{
        .name = "boolq",
        .title = "BoolQ",
        .dataset = "aps/super_glue",
        .config = "boolq",
        .version = 2.0,
        .normalised = false,
        .scored = eval::Split::dev,
        .study_rows = 1000,
        .options_in_context = false,
        .files = {{"val.jsonl", eval::Split::dev, 3270}, {"dev.jsonl", eval::Split::dev}},
        .training_files = {"train.jsonl"},
        .training_rows = 9427,
        .path_words = {},
        .not_in_path = {},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
