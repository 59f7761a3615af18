// Removing from the hub cache. Nothing outside of it is touched: links are removed, never followed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/hub/data_cache.h"
#include "tools/hub/repository.h"

namespace tinyllm::hub {

struct Removed {
    std::string name;                    ///< org/name, org/name@commit, data:task
    std::vector<std::string> revisions;  ///< commits whose snapshots went
    std::size_t files = 0;               ///< blobs and other files of content
    std::int64_t bytes = 0;              ///< freed
};

/// The model with all it has, or (`revision_given`) one revision: a branch goes, its snapshot if no other
/// branch stands there, and then the blobs that no snapshot names any more. Throws Error: not_found; runtime
/// if a pull of it is running; corrupt if a folder of it is a link.
Removed remove_model(const RepositoryName& name, bool revision_given);

/// A task's questions with its training file, or that file alone. Throws Error: usage, not_found; runtime if
/// a pull of it is running; corrupt if the folder is a link.
Removed remove_data(const DataKey& name);

/// Held shared by whoever fills the repository, exclusively by whoever removes from it.
std::filesystem::path gate_of(const std::string& folder);

}  // namespace tinyllm::hub
