// A backend that computes as another does and adds up the squares of what each weight is multiplied with.
#pragma once

#include <memory>

#include "kernels/forwarding_backend.h"
#include "tinyllm/imatrix.h"

namespace tinyllm {

/// By the names that matrices bear. `matrix` must outlive the backend; it is written while Backend::mutex()
/// is held.
std::unique_ptr<Backend> make_recording_backend(std::unique_ptr<Backend> inner, ImportanceMatrix& matrix);

}  // namespace tinyllm
