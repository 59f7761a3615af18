// Two studies side by side, question by question.
#pragma once

#include "tools/output.h"
#include "tools/study/summary.h"

namespace tinyllm::study {

/// Two-sided exact McNemar test: the chance of a split at least this uneven among the questions only one side
/// got right.
double mcnemar(std::size_t only_a, std::size_t only_b);

/// One row per cell both studies have figures for. Cells are matched by protocol, model, type and task; where
/// each study has a single model, the models' names need not agree. Throws Error(usage) if nothing matches,
/// Error(check_failed) if a task's data differ.
tinyllm::Table compare_studies(const Summary& a, const Summary& b);

}  // namespace tinyllm::study
