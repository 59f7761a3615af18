// Data files as users have them: JSON lines, OpenBookQA's TSV, and what the hub's rows API answers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/row.h"

namespace tinyllm::eval {

/// A file's whole bytes. Throws Error(not_found).
std::string read_bytes(const std::filesystem::path& path);

/// All rows, in file order; lines end at "\n" only, since strings may hold other separators; blank lines are
/// skipped. `labels` (optional) gives one label per row. Throws Error(not_found, corrupt).
std::vector<Row> read_rows(const std::filesystem::path& path,
                           const std::optional<std::filesystem::path>& labels = std::nullopt);

/// The first row, for telling whose file it is; nothing if the file is not rows of objects, or has none
/// within 64 MiB.
std::optional<Json> first_row(const std::filesystem::path& path);

}  // namespace tinyllm::eval
