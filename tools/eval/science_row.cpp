#include "tools/eval/science_row.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

// "(A) one (B) two": a label is looked for behind the one before it, so that a choice may hold brackets of
// its own.
Choices split_choices(const Row& row, const std::string& text) {
    Choices result;
    std::size_t start = 0;
    for (char letter = 'A'; letter <= 'Z'; ++letter) {
        const std::string mark = fmt::format("{}({}) ", letter == 'A' ? "" : " ", letter);
        const std::size_t at = text.find(mark, start);
        if (at == std::string::npos || (letter == 'A' && at != 0)) break;
        if (letter != 'A') result.texts.push_back(text.substr(start, at - start));
        result.labels.emplace_back(1, letter);
        start = at + mark.size();
    }
    if (result.labels.size() < 2) row.bad("Choices", "\"(A) ... (B) ...\"", describe(text));
    result.texts.push_back(text.substr(start));
    return result;
}

}  // namespace

bool is_official_science(const Json& row) {
    auto question = row.find("question");
    return question != row.end() && question->is_object() && question->contains("stem");
}

ScienceRow read_science_row(const Row& row) {
    ScienceRow result;
    if (row.has("Question Stem")) {
        result.id = row.text("ID");
        result.stem = row.text("Question Stem");
        result.choices = split_choices(row, row.text("Choices"));
        result.key = row.text("Answer Key");
    } else {
        result.id = row.has("id") ? row.text_or_number("id") : "";
        result.key = row.text_or_number("answerKey");
        auto question = row.json.find("question");
        if (question != row.json.end() && question->is_object()) {
            auto stem = question->find("stem");
            if (stem == question->end()) row.bad("question.stem", "a string", "no such field");
            if (!stem->is_string()) row.bad("question.stem", "a string", describe(*stem));
            result.stem = stem->get<std::string>();
            result.choices = row.choices(*question);
        } else {
            result.stem = row.text(row.has("question_stem") ? "question_stem" : "question");
            result.choices = row.choices(row.json);
        }
    }
    const std::string key = python_strip(result.key);
    const auto& labels = result.choices.labels;
    auto found = std::find(labels.begin(), labels.end(), key);
    if (found == labels.end()) {
        std::string all;
        for (const std::string& label : labels) list_item(all, label);
        row.bad("answerKey", "one of the labels " + all, describe(result.key));
    }
    result.gold = static_cast<int>(found - labels.begin());
    return result;
}

Json choices_columns(const Choices& choices) {
    return {{"text", choices.texts}, {"label", choices.labels}};
}

void set_science_prompt(Example& example, const ScienceRow& row) {
    // As published: three choices get an empty fourth, of five the last is never shown.
    std::vector<std::string> options = row.choices.texts;
    options.resize(4);
    example.prompt = lettered_prompt("Question: " + row.stem, options);
    example.letters = 4;
    // The key as it stands: a digit can never be right.
    example.prompt_gold =
        row.key.size() == 1 && row.key[0] >= 'A' && row.key[0] <= 'D' ? row.key[0] - 'A' : -1;
}

Example read_arc(const Row& row) {
    const ScienceRow science = read_science_row(row);
    Example example;
    example.doc = {{"id", science.id},
                   {"question", science.stem},
                   {"choices", choices_columns(science.choices)},
                   {"answerKey", science.key}};
    set_continuations(example, "Question: " + science.stem + "\nAnswer:", science.choices.texts);
    example.gold = science.gold;
    example.target = science.gold;
    set_science_prompt(example, science);
    return example;
}

int fits_arc(const Json& row, Protocol) {
    if (is_official_science(row)) return 2;
    return row.contains("question") && row.contains("choices") && row.contains("answerKey") ? 1 : 0;
}

}  // namespace tinyllm::eval
