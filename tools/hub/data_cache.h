// Questions that `pull data:TASK` fetched: <assets>/tinyllm/data/<task>/<official file name>, where <assets>
// is what huggingface_hub keeps for programs' own files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/task.h"

namespace tinyllm::hub {

/// $TINYLLM_CACHE/assets, HF_ASSETS_CACHE or hub_home()/assets, and in it tinyllm/data.
std::filesystem::path data_cache();

/// "data:piqa" → "piqa"; nothing for other text.
std::optional<std::string> data_name(const std::string& argument);

/// A file of a task: one split in the release's own name.
struct DataSplit {
    std::string file;
    eval::Split split;
    std::size_t rows;  ///< of the official split
};

/// The splits that either protocol asks: what is scored, and dev.
std::vector<DataSplit> data_splits(const eval::Task& task);

struct CachedData {
    std::string task;
    std::filesystem::path path;
    std::int64_t bytes = 0;
    std::size_t files = 0;
    std::vector<std::string> missing;
    std::int64_t resumable_bytes = 0;
};

/// All tasks of which something is there.
std::vector<CachedData> cached_data();

}  // namespace tinyllm::hub
