#include "tools/hub/cache.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "engine/fail.h"
#include "tools/hub/repository.h"
#include "tools/output.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kModels = "models--";

std::string id_of_folder(const std::string& folder) {
    std::string id = folder.substr(kModels.size());
    if (const std::size_t mark = id.find("--"); mark != std::string::npos) id.replace(mark, 2, "/");
    return id;
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
    std::vector<fs::path> paths;
    std::error_code error;
    for (fs::directory_iterator entries(folder, error), end; !error && entries != end;
         entries.increment(error))
        paths.push_back(entries->path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::string read_ref(const fs::path& path) {
    std::string commit = read_file(path.string());
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())) != 0) commit.pop_back();
    return commit;
}

// Branches lie at any depth: refs/refs/pr/1.
std::vector<std::pair<std::string, std::string>> read_refs(const fs::path& folder) {
    std::vector<std::pair<std::string, std::string>> refs;
    std::error_code error;
    for (fs::recursive_directory_iterator files(folder, error), end; !error && files != end;
         files.increment(error)) {
        std::error_code ignored;
        if (!files->is_regular_file(ignored)) continue;
        refs.emplace_back(files->path().lexically_relative(folder).string(), read_ref(files->path()));
    }
    std::sort(refs.begin(), refs.end());
    return refs;
}

void measure(Snapshot& snapshot) {
    std::error_code error;
    for (fs::recursive_directory_iterator files(snapshot.path, error), end; !error && files != end;
         files.increment(error)) {
        std::error_code ignored;
        if (files->is_directory(ignored)) continue;
        ++snapshot.files;
        const std::uintmax_t bytes = fs::file_size(files->path(), ignored);
        if (!ignored) snapshot.bytes += static_cast<std::int64_t>(bytes);
    }
}

}  // namespace

std::vector<std::string> shards_of_index(const fs::path& index) {
    const Json json = json_if(read_file(index.string())).value_or(Json());
    const auto map = json.is_object() ? json.find("weight_map") : json.end();
    if (!json.is_object() || map == json.end() || !map->is_object())
        fail(ErrorKind::corrupt, "{}: expected an object with a weight_map, found none", index.string());
    std::set<std::string> shards;
    for (const auto& shard : *map) {
        if (!shard.is_string())
            fail(ErrorKind::corrupt, "{}: weight_map: expected names of files, found {}", index.string(),
                 shard.type_name());
        shards.insert(shard.get<std::string>());
    }
    return {shards.begin(), shards.end()};
}

std::vector<std::string> missing_files(const fs::path& snapshot) {
    std::vector<std::string> missing;
    bool has_gguf = false;
    for (const fs::path& path : sorted_entries(snapshot)) {
        std::error_code error;
        if (!fs::exists(path, error)) missing.push_back(path.filename().string());  // a link to nothing
        if (path.extension() == ".gguf") has_gguf = true;
    }
    if (!missing.empty()) return missing;
    for (const char* weights : {"model.safetensors", "pytorch_model.bin"}) {
        const fs::path index = snapshot / (std::string(weights) + ".index.json");
        const bool whole = fs::exists(snapshot / weights);
        if (!whole && !fs::exists(index)) continue;
        if (!whole) {
            try {
                for (const std::string& shard : shards_of_index(index))
                    if (!fs::exists(snapshot / shard)) missing.push_back(shard);
            } catch (const Error&) {
                missing.push_back(index.filename().string());
            }
        }
        if (!fs::exists(snapshot / "config.json")) missing.emplace_back("config.json");
        return missing;
    }
    if (!has_gguf) missing.emplace_back("weights");
    return missing;
}

CachedModel read_cached_model(const fs::path& folder) {
    CachedModel model{id_of_folder(folder.filename().string()), folder, {}, 0};
    const auto refs = read_refs(folder / "refs");
    for (const fs::path& path : sorted_entries(folder / "snapshots")) {
        std::error_code error;
        if (!fs::is_directory(path, error)) continue;
        Snapshot snapshot;
        snapshot.commit = path.filename().string();
        snapshot.path = path;
        for (const auto& [name, commit] : refs)
            if (commit == snapshot.commit) snapshot.refs.push_back(name);
        measure(snapshot);
        snapshot.missing = missing_files(path);
        model.snapshots.push_back(std::move(snapshot));
    }
    for (const fs::path& path : sorted_entries(folder / "blobs")) {
        std::error_code error;
        if (path.extension() != ".incomplete") continue;
        const std::uintmax_t bytes = fs::file_size(path, error);
        if (!error) model.resumable_bytes += static_cast<std::int64_t>(bytes);
    }
    return model;
}

std::vector<CachedModel> cached_models() {
    std::vector<CachedModel> models;
    for (const fs::path& path : sorted_entries(hub_cache())) {
        std::error_code error;
        if (path.filename().string().starts_with(kModels) && fs::is_directory(path, error))
            models.push_back(read_cached_model(path));
    }
    return models;
}

fs::path find_snapshot(const RepositoryName& name, const std::string& argument) {
    const fs::path repository = hub_cache() / name.folder();
    std::error_code error;
    if (!fs::is_directory(repository, error)) {
        fail(ErrorKind::not_found, "{}: no such file or folder, and the hub cache has no {}{}", argument,
             repository.string(), pull_hint(argument));
    }
    std::string commit = name.revision;
    if (const fs::path ref = repository / "refs" / name.revision; fs::is_regular_file(ref, error)) {
        commit = read_ref(ref);
        if (commit.empty() || commit.front() == '.' || commit.find('/') != std::string::npos)
            fail(ErrorKind::corrupt, "{}: expected a commit, found other text", ref.string());
    }
    const fs::path snapshot = repository / "snapshots" / commit;
    if (!fs::is_directory(snapshot, error)) {
        fail(ErrorKind::not_found, "{}: the hub cache has no revision {}: looked for {} and {}{}", argument,
             name.revision, (repository / "refs" / name.revision).string(), snapshot.string(),
             pull_hint(argument));
    }
    return snapshot;
}

fs::path folder_or_its_gguf(const fs::path& folder) {
    for (const char* name : {"config.json", "tokenizer.json", "tokenizer.model", "vocab.json"}) {
        if (fs::exists(folder / name)) return folder;
    }
    std::vector<fs::path> found;
    for (const fs::path& path : sorted_entries(folder))
        if (path.extension() == ".gguf") found.push_back(path);
    return found.size() == 1 ? found.front() : folder;
}

}  // namespace tinyllm::hub
