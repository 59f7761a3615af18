// The figures of `eval` as rows for a table.
#pragma once

#include <vector>

#include "tools/eval/results.h"
#include "tools/output.h"

namespace tinyllm::eval {

/// One row per task and metric, from results.json's own values.
tinyllm::Table results_table(const Json& results, const std::vector<TaskRun>& runs);

/// "A 49% B 51%"
std::string letter_shares(const Json& shares);

}  // namespace tinyllm::eval
