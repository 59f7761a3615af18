// The report's plain sentences, computed from the figures.
#pragma once

#include <string>
#include <vector>

#include "tools/study/summary.h"

namespace tinyllm::study {

/// What was run, and on what.
std::vector<std::string> words_about_run(const Summary& summary);

/// What the figures of one protocol say.
std::vector<std::string> words_about_figures(const Summary& summary, eval::Protocol protocol);

}  // namespace tinyllm::study
