// The study's twenty checkpoints by their shapes, for predictions where no file is at hand. What their
// publishers' config.json says; tests/predict holds it to bench/checkpoints.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tinyllm/inspect.h"

namespace tinyllm::predict {

/// Hub ids, in the study's order.
std::vector<std::string> known_models();

/// What inspect_model() would tell of the checkpoint; info.path is the hub id. Nothing for one that is not
/// known. A revision behind '@' is passed over.
std::optional<ModelFacts> known_model(const std::string& hub_id);

}  // namespace tinyllm::predict
