// A model from the hub into the cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/hub/download/client.h"
#include "tools/hub/listing.h"
#include "tools/hub/repository.h"

namespace tinyllm::hub {

struct PulledFile {
    RemoteFile file;
    std::int64_t downloaded = 0;  ///< bytes; 0: it was there
};

struct PulledModel {
    std::string commit;          ///< empty when offline
    std::filesystem::path path;  ///< what to load
    std::vector<PulledFile> files;
    std::vector<RemoteFile> left_out;
};

/// Fetches what choose_files() says. The branch's ref is written last, so that a model that is looked up is
/// whole. Throws Error, Interrupted; what came in by then is gone on with.
PulledModel pull_model(Client& client, const RepositoryName& name, const std::vector<std::string>& globs);

/// What the cache has, without a network. Throws Error(not_found) if it is not there or not whole.
PulledModel find_pulled(const RepositoryName& name, const std::vector<std::string>& globs);

}  // namespace tinyllm::hub
