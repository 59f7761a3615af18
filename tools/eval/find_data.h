// Which file holds a task's questions: a folder is searched, names and the first row's fields decide.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tools/eval/task.h"

namespace tinyllm::eval {

struct DataFile {
    std::filesystem::path rows;
    std::optional<std::filesystem::path> labels;
    bool wanted_split = true;  ///< false: the protocol's own split was not there, the other one was
};

/// What --data gave: folders, and files named for a task's questions or for its examples.
struct DataPlaces {
    std::vector<std::filesystem::path> folders;
    std::map<std::string, DataFile> named, training;
};

/// Each argument is a folder, task=FILE[,LABELS] or task:train=FILE[,LABELS]. Throws Error(usage, not_found).
DataPlaces parse_data_arguments(const std::vector<std::string>& arguments);

/// The files of all folders that may hold questions, with their first rows.
class DataIndex {
  public:
    explicit DataIndex(DataPlaces places);

    /// The file for `task` under `protocol`: official names before others, the protocol's split before the
    /// other, the layout the protocol was made for before the other. Throws Error(not_found) if none fits,
    /// Error(usage) naming both if two fit equally.
    DataFile find(const Task& task, Protocol protocol) const;

    /// As find(), but nothing where no file fits.
    std::optional<DataFile> try_find(const Task& task, Protocol protocol) const;

    /// The training file that examples in front of questions are drawn from: official names before others
    /// that end in "train", the harness's layout before others. Nothing where no file fits. Throws
    /// Error(usage) where two fit alike.
    std::optional<DataFile> find_training(const Task& task) const;

  private:
    struct Candidate {
        std::filesystem::path path;
        std::string words;  // the path below its folder: lower case, letters and digits only
        Json row;
    };
    /// How well a candidate of the task suits, the largest best; nothing for one that must not be taken.
    using Key = std::tuple<bool, bool, int>;
    using Rank = std::function<std::optional<Key>(const Candidate& candidate, int layout)>;
    /// The best candidate and its key.
    std::optional<std::pair<const Candidate*, Key>> best_fit(const Task& task, Protocol protocol,
                                                             std::string_view argument,
                                                             const Rank& rank) const;
    std::string folder_names() const;

    DataPlaces places_;
    std::vector<Candidate> candidates_;
};

/// The examples of a file under a protocol: the task's reader on every row, limited. Throws Error(corrupt).
struct Questions {
    DataFile file;
    std::vector<Example> examples;
    std::size_t rows = 0;            ///< in the file (study: before the published limit)
    std::vector<std::string> notes;  ///< for warnings
};

/// Whether load_questions() takes it: a whole number of at most a thousand million, or a share below 1.
bool is_limit(double limit);

/// `limit`: 0 all; >= 1 the first so many; below 1 that share of the rows, rounded up.
Questions load_questions(const Task& task, Protocol protocol, const DataFile& file, double limit);

}  // namespace tinyllm::eval
