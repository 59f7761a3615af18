// ModelOptions::device to a backend.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tinyllm/model.h"

namespace tinyllm {

/// The backend of options.device. "cuda" is a demand: Error(device) where it cannot be had. "auto" takes a
/// GPU where this build has kernels for one, else the CPU; `notes` gets a line that says why not.
std::unique_ptr<Backend> make_device_backend(const ModelOptions& options, std::vector<std::string>& notes);

/// Devices that no user can name but those who put them here: the tests' own. By name.
std::map<std::string, std::function<std::unique_ptr<Backend>(const BackendOptions&)>>& more_devices();

}  // namespace tinyllm
