// How long the questions of the study's tasks are.
#pragma once

#include <string>

#include "tools/predict/predict.h"

namespace tinyllm::predict {

/// A question of `task` (the harness's name, "arc_easy") of mean length; `letter`: as the published study
/// asks it, else as the harness does. Throws Error(usage) naming the tasks there are.
Question task_question(const std::string& task, bool letter);

}  // namespace tinyllm::predict
