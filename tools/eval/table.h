// Rows of cells as text: for terminals, Markdown and CSV.
#pragma once

#include <string>
#include <vector>

#include "tools/eval/results.h"

namespace tinyllm::eval {

struct Table {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
};

std::string plain_table(const Table& table);  ///< columns padded; all but the first to the right
std::string markdown_table(const Table& table);
std::string csv_table(const Table& table);  ///< RFC 4180 quoting

/// What `eval` prints: table, md, csv, json (results.json) or jsonl (one line per task).
std::string format_results(const Json& results, const std::vector<TaskRun>& runs, const std::string& format);

}  // namespace tinyllm::eval
