// What the ops of a model are for, told by the names of their weights.
#pragma once

#include <vector>

#include "tinyllm/profile.h"

namespace tinyllm {

/// `uses` of a ProfilingBackend with StageUse::stage set. A weight that no rule knows gives its own name.
std::vector<StageUse> named_stages(std::vector<StageUse> uses);

}  // namespace tinyllm
