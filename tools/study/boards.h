// What tells the machines of a fleet apart: figures of unlike ones are never mixed, those of like ones are
// one board's.
#pragma once

#include <string>

#include "tools/eval/row.h"

namespace tinyllm::study {

using eval::Json;

/// eval::machine_facts() and the power mode, which changes what a board is able to.
Json study_machine();

/// "NVIDIA Jetson Orin Nano Developer Kit, Cortex-A78AE, 6 cores, 8 GB, 15W": the same for two boards of a
/// kind in the same state. `machine`: as study_machine(); what is not known is left out.
std::string board_label(const Json& machine);

/// The machine behind a board's label in study.json; nulls where it does not say.
Json machine_of(const Json& study, const std::string& board);

}  // namespace tinyllm::study
