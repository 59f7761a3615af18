// A task's questions, or its training split, from the hub's JSON rows API, as JSON lines under the release's
// own file names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/eval/task.h"
#include "tools/hub/data_cache.h"
#include "tools/hub/download/client.h"

namespace tinyllm::hub {

struct PulledSplit {
    std::string file;
    std::size_t rows = 0;
    std::size_t downloaded = 0;  ///< rows
};

struct PulledData {
    std::filesystem::path path;
    std::vector<PulledSplit> splits;
};

/// Fetches the splits that are not there yet, a hundred rows a call; what an earlier call left in
/// <file>.incomplete is gone on with. Every row must be one that the task can ask, and the rows as many as in
/// the official split. `client` speaks to {datasets-server}. Throws Error: not_found, corrupt; Interrupted.
PulledData pull_data(Client& client, const eval::Task& task, DataPart part);

/// What is there, without a network. Throws Error(not_found) if a split is not.
PulledData find_data(const eval::Task& task, DataPart part);

}  // namespace tinyllm::hub
