#include "tools/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/fail.h"
#include "tools/output.h"

namespace tinyllm {
namespace fs = std::filesystem;
namespace {

const char* environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

bool valid_part(std::string_view part) {
    return !part.empty() && part.front() != '.' && part.find("..") == std::string_view::npos &&
           std::all_of(part.begin(), part.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
           });
}

struct HubName {
    std::string org, name, revision = "main";
};

std::optional<HubName> parse_hub_name(const std::string& argument) {
    HubName hub;
    std::string repository = argument;
    if (const std::size_t at = argument.find('@'); at != std::string::npos) {
        repository = argument.substr(0, at);
        hub.revision = argument.substr(at + 1);
        // A revision may be a branch such as "refs/pr/1", but must not leave the cache.
        std::string_view rest = hub.revision;
        while (true) {
            const std::size_t slash = rest.find('/');
            if (!valid_part(rest.substr(0, slash))) return {};
            if (slash == std::string_view::npos) break;
            rest.remove_prefix(slash + 1);
        }
    }
    const std::size_t slash = repository.find('/');
    if (slash == std::string::npos) return {};
    hub.org = repository.substr(0, slash);
    hub.name = repository.substr(slash + 1);
    if (!valid_part(hub.org) || !valid_part(hub.name)) return {};
    return hub;
}

/// A folder with one .gguf and nothing else a loader would start from means that file.
std::string folder_or_its_gguf(const fs::path& folder) {
    for (const char* name : {"config.json", "tokenizer.json", "tokenizer.model", "vocab.json"}) {
        if (fs::exists(folder / name)) return folder.string();
    }
    std::vector<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".gguf") found.push_back(entry.path());
    }
    return found.size() == 1 ? found.front().string() : folder.string();
}

std::string resolve_hub(const std::string& argument, const HubName& hub) {
    const fs::path repository = fs::path(hub_cache()) / ("models--" + hub.org + "--" + hub.name);
    std::error_code error;
    if (!fs::is_directory(repository, error)) {
        fail(ErrorKind::not_found, "{}: no such file or folder, and the hub cache has no {}", argument,
             repository.string());
    }
    std::string commit = hub.revision;
    if (const fs::path ref = repository / "refs" / hub.revision; fs::is_regular_file(ref, error)) {
        commit = read_file(ref.string());
        while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())) != 0)
            commit.pop_back();
        if (!valid_part(commit))
            fail(ErrorKind::corrupt, "{}: expected a commit, found other text", ref.string());
    }
    const fs::path snapshot = repository / "snapshots" / commit;
    if (!fs::is_directory(snapshot, error)) {
        fail(ErrorKind::not_found, "{}: the hub cache has no revision {}: looked for {} and {}", argument,
             hub.revision, (repository / "refs" / hub.revision).string(), snapshot.string());
    }
    return folder_or_its_gguf(snapshot);
}

}  // namespace

std::string hub_cache() {
    if (const char* path = environment("TINYLLM_CACHE")) return path;
    if (const char* path = environment("HF_HUB_CACHE")) return path;
    if (const char* home = environment("HF_HOME")) return std::string(home) + "/hub";
    if (const char* cache = environment("XDG_CACHE_HOME")) return std::string(cache) + "/huggingface/hub";
    const char* home = environment("HOME");
    return std::string(home != nullptr ? home : ".") + "/.cache/huggingface/hub";
}

std::string resolve_model(const std::string& argument) {
    std::error_code error;
    if (argument.empty())
        fail(ErrorKind::usage, "MODEL is empty: expected a folder, a .gguf file or org/name");
    if (fs::is_directory(argument, error)) return folder_or_its_gguf(argument);
    if (fs::exists(argument, error)) return argument;
    if (const std::optional<HubName> hub = parse_hub_name(argument)) return resolve_hub(argument, *hub);
    fail(ErrorKind::not_found, "{}: no such model file or folder", argument);
}

CLI::Option* add_model_argument(CLI::App& app, std::string& model, bool required) {
    CLI::Option* option = app.add_option(
        "model", model, "Hugging Face folder, .gguf file, or org/name[@revision] in the hub cache");
    option->type_name("");
    return required ? option->required() : option;
}

}  // namespace tinyllm
