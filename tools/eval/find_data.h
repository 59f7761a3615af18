// Which file holds a task's questions: a folder is searched, names and the first row's fields decide.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/task.h"

namespace tinyllm::eval {

struct DataFile {
    std::filesystem::path rows;
    std::optional<std::filesystem::path> labels;
    bool wanted_split = true;  ///< false: the protocol's own split was not there, the other one was
};

/// What --data gave: folders, and files named for a task.
struct DataPlaces {
    std::vector<std::filesystem::path> folders;
    std::map<std::string, DataFile> named;
};

/// Each argument is a folder or task=FILE[,LABELS]. Throws Error(usage, not_found).
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

  private:
    struct Candidate {
        std::filesystem::path path;
        std::string words;  // the path below its folder: lower case, letters and digits only
        Json row;
    };
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

/// `limit`: 0 all; >= 1 the first so many; below 1 that share of the rows, rounded up.
Questions load_questions(const Task& task, Protocol protocol, const DataFile& file, double limit);

}  // namespace tinyllm::eval
