// The MODEL argument: a Hugging Face folder, a .gguf file, or org/name[@revision] in the local hub cache.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tinyllm {

/// The folder or file to load. A folder that holds no model of its own but exactly one .gguf file means that
/// file. Throws Error(not_found) saying where it looked.
std::string resolve_model(const std::string& argument);

/// Adds the positional MODEL.
CLI::Option* add_model_argument(CLI::App& app, std::string& model, bool required = true);

}  // namespace tinyllm
