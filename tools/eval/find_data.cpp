#include "tools/eval/find_data.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/fail.h"
#include "tools/eval/rows_file.h"
#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

namespace fs = std::filesystem;

std::string letters_and_digits(const std::string& text) {
    std::string result;
    for (unsigned char c : text)
        if (std::isalnum(c)) result += static_cast<char>(std::tolower(c));
    return result;
}

std::vector<std::string> name_words(const std::string& name) {
    std::vector<std::string> words(1);
    for (unsigned char c : name) {
        if (std::isalnum(c)) {
            words.back() += static_cast<char>(std::tolower(c));
        } else {
            words.emplace_back();
        }
    }
    return words;
}

// The split a file's name speaks of; nothing for training files and names without such a word.
std::optional<Split> split_of_name(const std::string& stem) {
    std::optional<Split> split;
    for (const std::string& word : name_words(stem)) {
        if (word == "train" || word == "training") return std::nullopt;
        if (word == "test") split = Split::test;
        if (word == "dev" || word == "val" || word == "valid" || word == "validation") split = Split::dev;
    }
    return split;
}

std::optional<fs::path> labels_beside(const fs::path& rows) {
    const fs::path labels = rows.parent_path() / (rows.stem().string() + "-labels.lst");
    std::error_code error;
    if (fs::is_regular_file(labels, error)) return labels;
    return std::nullopt;
}

bool has_label(const Json& row) {
    return row.contains("label") || row.contains("answer") || row.contains("answerKey") ||
           row.contains("Answer Key");
}

void check_readable(const std::string& task, const fs::path& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error))
        fail(ErrorKind::not_found, "--data {}: {}: {}", task, file.string(),
             fs::exists(file, error) ? "not a regular file" : "no such file");
}

// FILE[,LABELS] of a task.
DataFile named_file(const std::string& task, std::string file) {
    std::error_code error;
    DataFile data;
    // A comma belongs to the name if a file of the whole name exists.
    const std::size_t comma = file.rfind(',');
    if (comma != std::string::npos && !fs::exists(file, error)) {
        data.labels = file.substr(comma + 1);
        file.resize(comma);
        check_readable(task, *data.labels);
    }
    data.rows = file;
    check_readable(task, data.rows);
    if (!data.labels) {
        auto row = first_row(data.rows);
        if (row && !has_label(*row)) data.labels = labels_beside(data.rows);
    }
    return data;
}

}  // namespace

DataPlaces parse_data_arguments(const std::vector<std::string>& arguments) {
    DataPlaces places;
    for (const std::string& argument : arguments) {
        std::error_code error;
        if (fs::is_directory(argument, error)) {
            places.folders.emplace_back(argument);
            continue;
        }
        const std::size_t equals = argument.find('=');
        if (equals == std::string::npos)
            fail(ErrorKind::not_found,
                 "--data {}: no such folder (a single file is given as task=FILE[,LABELS])", argument);
        std::string name = argument.substr(0, equals);
        const bool training = name.ends_with(kTrainingMark);
        if (training) name.resize(name.size() - kTrainingMark.size());
        const std::string task(find_task(name).name);
        auto& files = training ? places.training : places.named;
        if (!files.emplace(task, named_file(task, argument.substr(equals + 1))).second)
            fail(ErrorKind::usage, "--data: two files for {}", argument.substr(0, equals));
    }
    return places;
}

DataIndex::DataIndex(DataPlaces places) : places_(std::move(places)) {
    for (const fs::path& folder : places_.folders) {
        std::vector<fs::path> paths;
        std::error_code error;
        fs::recursive_directory_iterator files(folder, fs::directory_options::skip_permission_denied, error);
        if (error) fail(ErrorKind::not_found, "--data {}: {}", folder.string(), error.message());
        for (; files != fs::recursive_directory_iterator(); files.increment(error)) {
            if (error) fail(ErrorKind::runtime, "--data {}: {}", folder.string(), error.message());
            const std::string extension = files->path().extension().string();
            if (files->is_regular_file(error) &&
                (extension == ".jsonl" || extension == ".tsv" || extension == ".json"))
                paths.push_back(files->path());
        }
        std::sort(paths.begin(), paths.end());
        for (const fs::path& path : paths) {
            auto row = first_row(path);
            if (row)
                candidates_.push_back(
                    {path, letters_and_digits(fs::relative(path, folder).string()), std::move(*row)});
        }
    }
}

std::optional<std::pair<const DataIndex::Candidate*, DataIndex::Key>> DataIndex::best_fit(
    const Task& task, Protocol protocol, std::string_view argument, const Rank& rank) const {
    const Candidate* best = nullptr;
    const Candidate* equal = nullptr;
    Key best_key;
    for (const Candidate& candidate : candidates_) {
        auto in_path = [&](std::string_view word) { return candidate.words.find(word) != std::string::npos; };
        if (std::any_of(task.not_in_path.begin(), task.not_in_path.end(), in_path)) continue;
        if (!std::all_of(task.path_words.begin(), task.path_words.end(), in_path)) continue;
        const int layout = task.fits(candidate.row, protocol);
        if (layout == 0) continue;
        const std::optional<Key> key = rank(candidate, layout);
        if (!key) continue;
        if (!best || *key > best_key) {
            best = &candidate;
            equal = nullptr;
            best_key = *key;
        } else if (*key == best_key) {
            equal = &candidate;
        }
    }
    if (!best) return std::nullopt;
    if (equal)
        fail(ErrorKind::usage, "--data: {} and {} both fit {}; name one: --data {}=FILE", best->path.string(),
             equal->path.string(), argument, argument);
    return std::pair(best, best_key);
}

std::string DataIndex::folder_names() const {
    std::string folders;
    for (const fs::path& folder : places_.folders) list_item(folders, folder.string());
    return folders.empty() ? "no folder given" : folders;
}

std::optional<DataFile> DataIndex::try_find(const Task& task, Protocol protocol) const {
    if (auto named = places_.named.find(std::string(task.name)); named != places_.named.end())
        return named->second;
    const Split wanted = protocol == Protocol::study ? Split::dev : task.scored;
    const auto found = best_fit(
        task, protocol, task.name, [&](const Candidate& candidate, int layout) -> std::optional<Key> {
            const std::string name = candidate.path.filename().string();
            auto official = std::find_if(task.files.begin(), task.files.end(),
                                         [&](const DataName& file) { return file.name == name; });
            if (official != task.files.end()) return Key(true, official->split == wanted, layout);
            const std::string stem = candidate.path.stem().string();
            if (auto split = split_of_name(stem)) return Key(false, *split == wanted, layout);
            if (letters_and_digits(stem) != letters_and_digits(std::string(task.name)))
                return std::nullopt;  // neither an official name nor a split nor the task's own name
            return Key(false, true, layout);
        });
    if (!found) return std::nullopt;
    DataFile file{found->first->path, std::nullopt, std::get<1>(found->second)};
    if (!has_label(found->first->row)) file.labels = labels_beside(file.rows);
    return file;
}

DataFile DataIndex::find(const Task& task, Protocol protocol) const {
    if (auto file = try_find(task, protocol)) return *file;
    std::string names;
    for (const DataName& file : task.files) list_item(names, file.name);
    fail(ErrorKind::not_found,
         "--data {}: no file with rows of {}; looked for {} (or give --data {}=FILE[,LABELS])",
         folder_names(), task.name, names, task.name);
}

std::optional<DataFile> DataIndex::find_training(const Task& task) const {
    if (auto named = places_.training.find(std::string(task.name)); named != places_.training.end())
        return named->second;
    const std::string argument = std::string(task.name) + std::string(kTrainingMark);
    const auto found = best_fit(
        task, Protocol::lm_eval, argument, [&](const Candidate& candidate, int layout) -> std::optional<Key> {
            const auto& names = task.training_files;
            const std::string name = candidate.path.filename().string();
            if (std::find(names.begin(), names.end(), name) != names.end()) return Key(true, true, layout);
            const std::string last = name_words(candidate.path.stem().string()).back();
            if (last != "train" && last != "training") return std::nullopt;
            return Key(false, true, layout);
        });
    if (!found) return std::nullopt;
    DataFile file{found->first->path, std::nullopt};
    if (!has_label(found->first->row)) file.labels = labels_beside(file.rows);
    return file;
}

bool is_limit(double limit) {
    return limit >= 0 && limit <= 1e9 && (limit < 1 || limit == std::floor(limit));
}

Questions load_questions(const Task& task, Protocol protocol, const DataFile& file, double limit) {
    if (!is_limit(limit))
        fail(ErrorKind::usage, "--limit: expected a whole number or a share below 1, found {}", limit);
    Questions questions;
    questions.file = file;
    std::vector<Row> rows = read_rows(file.rows, file.labels);
    questions.rows = rows.size();
    std::size_t n = rows.size();
    if (protocol == Protocol::study && task.study_rows) n = std::min(n, task.study_rows);
    if (limit >= 1) {
        n = std::min(n, static_cast<std::size_t>(limit));
    } else if (limit > 0) {
        n = std::min(n, static_cast<std::size_t>(std::ceil(static_cast<double>(rows.size()) * limit)));
    }
    if (!file.wanted_split)
        questions.notes.push_back(fmt::format(
            "no file of the {} split, taking {}",
            split_name(protocol == Protocol::study ? Split::dev : task.scored), file.rows.string()));
    for (std::size_t i = 0; i < n; ++i) {
        questions.examples.push_back(task.read(rows[i]));
        const std::string& note = questions.examples.back().note;
        if (!note.empty() &&
            std::find(questions.notes.begin(), questions.notes.end(), note) == questions.notes.end())
            questions.notes.push_back(note);
    }
    return questions;
}

}  // namespace tinyllm::eval
