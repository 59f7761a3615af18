// `study --pull`: what the chosen cells lack, from the hub.
#pragma once

#include "tools/study/plan.h"

namespace tinyllm::study {

/// Fetches the models and questions without which chosen cells cannot be run. What cannot be had is told on
/// standard error, and the study goes on without. False if a signal stopped it. Throws Error(usage) in a
/// build without `pull`, or where HF_HUB_OFFLINE forbids it.
bool fetch_missing(const Plan& plan);

}  // namespace tinyllm::study
