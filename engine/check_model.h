// Whether a model's files are complete, without computing with them.
#pragma once

#include "engine/model_source.h"

namespace tinyllm {

/// Binds every tensor as loading would. Throws Error(corrupt) for missing, left-over, wrongly shaped or
/// non-finite tensors.
void check_model(const ModelSource& source);

}  // namespace tinyllm
