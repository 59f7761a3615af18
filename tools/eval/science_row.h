// Rows of ARC and OpenBookQA, which share their layouts.
#pragma once

#include "tools/eval/task.h"

namespace tinyllm::eval {

struct ScienceRow {
    std::string id, stem, key;
    Choices choices;
    int gold = 0;  ///< position of the key among the labels, leading white space of the key ignored
};

/// The official layout ({"question": {"stem", "choices"}}), Hugging Face's columns (question or
/// question_stem), or OpenBookQA's TSV columns. Throws Error(corrupt).
ScienceRow read_science_row(const Row& row);

/// {text: [...], label: [...]}, as Hugging Face has it.
Json choices_columns(const Choices& choices);

/// Fills the study's part: four options always, the key as it stands.
void set_science_prompt(Example& example, const ScienceRow& row);

bool is_official_science(const Json& row);

/// One ARC example; Easy and Challenge differ by their files only.
Example read_arc(const Row& row);
int fits_arc(const Json& row, Protocol protocol);

}  // namespace tinyllm::eval
