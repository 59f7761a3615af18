#include "tools/hub/data_cache.h"

#include <algorithm>

#include "tools/hub/repository.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

CachedData look_for(const eval::Task& task, DataPart part, const fs::path& folder) {
    CachedData data;
    data.name = {std::string(task.name), part};
    data.path = folder;
    for (const DataSplit& split : data_splits(task, part)) {
        std::error_code error;
        const std::uintmax_t partial = fs::file_size(folder / (split.file + ".incomplete"), error);
        data.any = data.any || !error;
        if (!error) data.resumable_bytes += static_cast<std::int64_t>(partial);
        const std::uintmax_t bytes = fs::file_size(folder / split.file, error);
        data.any = data.any || !error;
        if (error) {
            data.missing.push_back(split.file);
        } else {
            data.bytes += static_cast<std::int64_t>(bytes);
            ++data.files;
        }
    }
    return data;
}

}  // namespace

fs::path data_cache() {
    fs::path assets = hub_home() / "assets";
    if (const char* path = environment("HF_ASSETS_CACHE")) assets = path;
    if (const char* path = environment("TINYLLM_CACHE")) assets = fs::path(path) / "assets";
    return assets / "tinyllm" / "data";
}

std::string DataKey::text() const {
    std::string text = "data:" + task;
    if (part == DataPart::training) text += eval::kTrainingMark;
    return text;
}

std::optional<DataKey> parse_data_name(const std::string& argument) {
    if (!argument.starts_with("data:")) return std::nullopt;
    DataKey name{argument.substr(5)};
    if (name.task.ends_with(eval::kTrainingMark)) {
        name.task.resize(name.task.size() - eval::kTrainingMark.size());
        name.part = DataPart::training;
    }
    return name;
}

std::vector<DataSplit> data_splits(const eval::Task& task, DataPart part) {
    std::vector<DataSplit> splits;
    if (part == DataPart::training) {
        if (!task.training_files.empty())
            splits.push_back(
                {std::string(task.training_files.front()), eval::Split::train, task.training_rows});
        return splits;
    }
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
        const fs::path folder = data_cache() / task.name;
        std::error_code error;
        if (!fs::is_directory(folder, error)) continue;
        const CachedData questions = look_for(task, DataPart::questions, folder),
                         training = look_for(task, DataPart::training, folder);
        if (questions.any || !training.any) found.push_back(questions);  // a folder that is empty: of these
        if (training.any) found.push_back(training);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const CachedData& a, const CachedData& b) { return a.name.task < b.name.task; });
    return found;
}

}  // namespace tinyllm::hub
