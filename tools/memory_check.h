// Refusing what cannot fit before memory is touched: a board that begins to swap or to kill is worse than an
// error.
#pragma once

#include "tinyllm/inspect.h"

namespace tinyllm {

/// Throws Error(would_not_fit) where the model's expected peak with a session of this context (as asked for;
/// the cache grows as it is filled, so no more is counted) exceeds what the machine and the control group
/// have left. One line: what is needed, what there is, what would be less.
void check_memory(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session);

}  // namespace tinyllm
