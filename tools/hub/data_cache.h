// What `pull data:TASK` and `pull data:TASK:train` fetched: <assets>/tinyllm/data/<task>/<official file
// name>, where <assets> is what huggingface_hub keeps for programs' own files.
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

/// What of a task: that which is asked, or that which examples in front of questions are drawn from.
enum class DataPart { questions, training };

struct DataKey {
    std::string task;  ///< as it was given
    DataPart part = DataPart::questions;

    std::string text() const;  ///< "data:piqa", "data:piqa:train"
};

/// Of "data:piqa" or "data:piqa:train"; nothing for other text.
std::optional<DataKey> parse_data_name(const std::string& argument);

/// A file of a task: one split in the release's own name.
struct DataSplit {
    std::string file;
    eval::Split split;
    std::size_t rows;  ///< of the official split
};

/// questions: the splits that either protocol asks, what is scored and dev; training: that split, nothing
/// where the task has none.
std::vector<DataSplit> data_splits(const eval::Task& task, DataPart part);

struct CachedData {
    DataKey name;
    std::filesystem::path path;
    std::int64_t bytes = 0;
    std::size_t files = 0;
    std::vector<std::string> missing;
    std::int64_t resumable_bytes = 0;
    bool any = false;  ///< a file, or the beginning of one
};

/// All of which something is there, by task.
std::vector<CachedData> cached_data();

}  // namespace tinyllm::hub
