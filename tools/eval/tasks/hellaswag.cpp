// HellaSwag: the likeliest ending. Prompts go through the harness's cleaning of WikiHow's brackets, step by
// step in its order: nothing is stripped again behind it, so an ending may keep a leading space.
#include "tools/eval/task.h"
#include "tools/eval/text.h"

namespace tinyllm {
namespace {

// Deletes every "[...]" that holds no line break; an unclosed bracket stays.
std::string without_brackets(const std::string& text) {
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '[') {
            const std::size_t end = text.find_first_of("]\n", at + 1);
            if (end != std::string::npos && text[end] == ']') {
                at = end + 1;
                continue;
            }
        }
        result += text[at++];
    }
    return result;
}

std::string clean(const std::string& text) {
    const std::string titled = eval::replace_all(eval::python_strip(text), " [title]", ". ");
    return eval::replace_all(without_brackets(titled), "  ", " ");
}

int fits(const eval::Json& row, eval::Protocol) {
    return row.contains("endings") && row.contains("ctx_a");
}

eval::Example read(const eval::Row& row) {
    const std::string& context = row.text("ctx");
    const std::vector<std::string> endings = row.texts("endings", 4);
    const int label = static_cast<int>(row.label("label", 0, 4));
    eval::Example example;
    example.doc = row.json;
    example.doc["label"] = std::to_string(label);
    const std::string query = clean(row.text("activity_label") + ": " + row.text("ctx_a") + " " +
                                    eval::python_capitalize(row.text("ctx_b")));
    std::vector<std::string> cleaned;
    for (const std::string& ending : endings) cleaned.push_back(clean(ending));
    eval::set_continuations(example, query, cleaned);
    example.doc["query"] = query;
    example.doc["choices"] = cleaned;
    example.doc["gold"] = label;
    example.gold = label;
    example.target = label;
    // No bracket behind the D: as published.
    example.prompt =
        "Complete the sentence with the most plausible ending. Answer should be one among [A, B, C, "
        "D].\n\nContext: " +
        context + "\nA) " + endings[0] + "\nB) " + endings[1] + "\nC) " + endings[2] + "\nD " + endings[3] +
        "\n\n\nAnswer:";
    example.letters = 4;
    example.prompt_gold = label;
    return example;
}

}  // namespace

const eval::Task& task_hellaswag() {
    static const eval::Task task{
        .name = "hellaswag",
        .title = "HellaSwag",
        .dataset = "Rowan/hellaswag",
        .config = "default",
        .version = 1.0,
        .normalised = true,
        .scored = eval::Split::dev,
        .study_rows = 1000,
        .options_in_context = false,
        .files = {{"hellaswag_val.jsonl", eval::Split::dev, 10042}},
        .training_files = {"hellaswag_train.jsonl"},
        .training_rows = 39905,
        .path_words = {},
        .not_in_path = {},
        .fits = fits,
        .read = read,
    };
    return task;
}

}  // namespace tinyllm
