// What the hub cache holds, whoever put it there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/hub/repository.h"

namespace tinyllm::hub {

/// One commit of a model.
struct Snapshot {
    std::string commit;
    std::vector<std::string> refs;  ///< branches and tags that stand at it
    std::filesystem::path path;
    std::int64_t bytes = 0;  ///< of its files
    std::size_t files = 0;
    std::vector<std::string> missing;  ///< what a model needs and is not there; empty: complete
};

struct CachedModel {
    std::string id;  ///< org/name
    std::filesystem::path path;
    std::vector<Snapshot> snapshots;   ///< by name
    std::int64_t resumable_bytes = 0;  ///< of downloads that were broken off
};

/// All models, by name. None where there is no cache.
std::vector<CachedModel> cached_models();

/// The one in `folder`, which must be there.
CachedModel read_cached_model(const std::filesystem::path& folder);

/// Config, weights (every shard of an index) or a .gguf file, and no link without its blob: what of it the
/// folder lacks.
std::vector<std::string> missing_files(const std::filesystem::path& snapshot);

/// The shards that an index.json names, in order, once each. Throws Error(corrupt) naming the file.
std::vector<std::string> shards_of_index(const std::filesystem::path& index);

/// The snapshot of a model's revision. Throws Error: not_found, beginning with `argument` and saying where it
/// looked; corrupt.
std::filesystem::path find_snapshot(const RepositoryName& name, const std::string& argument);

/// A folder with one .gguf and nothing else a loader would start from means that file.
std::filesystem::path folder_or_its_gguf(const std::filesystem::path& folder);

}  // namespace tinyllm::hub
