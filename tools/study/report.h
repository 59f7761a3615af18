// The study's results in every form: terminal, JSON, CSV, Markdown, LaTeX, one HTML page.
#pragma once

#include <string>

#include "tools/output.h"
#include "tools/study/questions.h"

namespace tinyllm::study {

/// One row per model and type, and what chance and the best constant answer would give: accuracies per task
/// and their average.
tinyllm::Table accuracy_table(const Summary& summary, eval::Protocol protocol);

/// One row per model and type: latency, memory, size.
tinyllm::Table cost_table(const Summary& summary, eval::Protocol protocol);

/// One row per model and type with what matters most: average accuracy, median time, size, energy.
tinyllm::Table glance_table(const Summary& summary, eval::Protocol protocol);

/// What fewer bits cost: accuracy, its paired difference from the model's widest type, and speed.
tinyllm::Table bits_table(const Summary& summary, eval::Protocol protocol);

/// Energy, power and heat of those that measured any; no row if none did.
tinyllm::Table energy_table(const Summary& summary, eval::Protocol protocol);

/// The same model and type on every board: a column of median times and, where measured, of joules each; no
/// row for a single board.
tinyllm::Table boards_table(const Summary& summary, eval::Protocol protocol);

/// One row per cell, all figures, for spreadsheets.
tinyllm::Table cells_table(const Summary& summary);

/// render() of a table with names that others chose: in csv a text that a spreadsheet would take for a
/// formula gets an apostrophe in front.
std::string render_names(tinyllm::Table table, Format format);

std::string terminal_report(const Summary& summary);
std::string markdown_report(const Summary& summary);

/// A page of at most kMostPageBytes that fetches nothing, for studies of some twenty models. `texts`: of the
/// questions it shows one by one.
std::string html_report(const Summary& summary, const QuestionTexts& texts);
inline constexpr std::size_t kMostPageBytes = 2'000'000;

/// The tables of accuracy, cost, bits and energy as LaTeX, each a float with a caption.
std::string latex_report(const Summary& summary);

/// What --table of `study report` names: cells, accuracy, cost, bits, energy, boards or published. Tables of
/// both protocols stand one after the other in the formats for reading, and are one with a column `protocol`
/// in the others. Throws Error(usage) naming the tables, Error(not_found) where there is nothing to show.
std::string exported_table(const Summary& summary, const std::string& name, Format format);

/// Writes results.json, results.csv, results.md, results.tex and report.html into `folder`. Throws
/// Error(runtime). `with_texts`: of the questions on the page, which belong to their data sets.
void write_report(const Summary& summary, const std::string& folder, bool with_texts = true);

/// What a protocol's name means, in a sentence.
std::string protocol_words(eval::Protocol protocol);

}  // namespace tinyllm::study
