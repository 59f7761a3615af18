// The study's results in every form: terminal, JSON, CSV, Markdown, one HTML page.
#pragma once

#include <string>

#include "tools/output.h"
#include "tools/study/summary.h"

namespace tinyllm::study {

/// One row per model and type, and what chance and the best constant answer would give: accuracies per task
/// and their average.
tinyllm::Table accuracy_table(const Summary& summary, eval::Protocol protocol);

/// One row per model and type: latency, memory, size.
tinyllm::Table cost_table(const Summary& summary, eval::Protocol protocol);

/// One row per cell, all figures, for spreadsheets.
tinyllm::Table cells_table(const Summary& summary);

std::string terminal_report(const Summary& summary);
std::string markdown_report(const Summary& summary);
std::string html_report(const Summary& summary);

/// Writes results.json, results.csv, results.md and report.html into `folder`. Throws Error(runtime).
void write_report(const Summary& summary, const std::string& folder);

/// What a protocol's name means, in a sentence.
std::string protocol_words(eval::Protocol protocol);

}  // namespace tinyllm::study
