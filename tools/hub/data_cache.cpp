#include "tools/hub/data_cache.h"

#include <algorithm>

#include "tools/hub/repository.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

fs::path data_cache() {
    fs::path assets = hub_home() / "assets";
    if (const char* path = environment("HF_ASSETS_CACHE")) assets = path;
    if (const char* path = environment("TINYLLM_CACHE")) assets = fs::path(path) / "assets";
    return assets / "tinyllm" / "data";
}

std::optional<std::string> data_name(const std::string& argument) {
    if (!argument.starts_with("data:")) return std::nullopt;
    return argument.substr(5);
}

std::vector<DataSplit> data_splits(const eval::Task& task) {
    std::vector<DataSplit> splits;
    for (const eval::DataName& file : task.files) {
        const bool known = std::any_of(splits.begin(), splits.end(),
                                       [&](const DataSplit& split) { return split.split == file.split; });
        if (!known) splits.push_back({std::string(file.name), file.split, file.rows});
    }
    return splits;
}

std::vector<CachedData> cached_data() {
    std::vector<CachedData> found;
    for (const auto make : all_tasks()) {
        const eval::Task& task = make();
        CachedData data;
        data.task = task.name;
        data.path = data_cache() / data.task;
        std::error_code error;
        if (!fs::is_directory(data.path, error)) continue;
        for (const DataSplit& split : data_splits(task)) {
            const std::uintmax_t partial = fs::file_size(data.path / (split.file + ".incomplete"), error);
            if (!error) data.resumable_bytes += static_cast<std::int64_t>(partial);
            const std::uintmax_t bytes = fs::file_size(data.path / split.file, error);
            if (error) {
                data.missing.push_back(split.file);
            } else {
                data.bytes += static_cast<std::int64_t>(bytes);
                ++data.files;
            }
        }
        found.push_back(std::move(data));
    }
    std::sort(found.begin(), found.end(),
              [](const CachedData& a, const CachedData& b) { return a.task < b.task; });
    return found;
}

}  // namespace tinyllm::hub
