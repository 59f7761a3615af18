// A backend that computes as another does and adds up the squares of what each weight is multiplied with.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/forwarding_backend.h"
#include "tinyllm/imatrix.h"

namespace tinyllm {

/// `names`: the GGUF name of the weight whose stored data begin there; matrices of others are not recorded.
/// `matrix` must outlive the backend; it is written while Backend::mutex() is held.
std::unique_ptr<Backend> make_recording_backend(std::unique_ptr<Backend> inner,
                                                std::map<const std::byte*, std::string> names,
                                                ImportanceMatrix& matrix);

}  // namespace tinyllm
