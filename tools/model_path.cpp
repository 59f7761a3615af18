#include "tools/model_path.h"

#include <filesystem>

#include "engine/fail.h"
#include "tools/hub/cache.h"
#include "tools/hub/repository.h"

namespace tinyllm {

namespace fs = std::filesystem;

std::string resolve_model(const std::string& argument) {
    std::error_code error;
    if (argument.empty())
        fail(ErrorKind::usage, "MODEL is empty: expected a folder, a .gguf file or org/name");
    if (fs::is_directory(argument, error)) return hub::folder_or_its_gguf(argument).string();
    if (fs::exists(argument, error)) return argument;
    if (const auto name = hub::parse_repository(argument))
        return hub::folder_or_its_gguf(hub::find_snapshot(*name, argument)).string();
    fail(ErrorKind::not_found, "{}: no such model file or folder", argument);
}

CLI::Option* add_model_argument(CLI::App& app, std::string& model, bool required) {
    CLI::Option* option = app.add_option(
        "model", model, "Hugging Face folder, .gguf file, or org/name[@revision] in the hub cache");
    option->type_name("");
    return required ? option->required() : option;
}

}  // namespace tinyllm
