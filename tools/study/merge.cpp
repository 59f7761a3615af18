#include "tools/study/merge.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "engine/fail.h"
#include "tools/eval/rows_file.h"
#include "tools/json_text.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/study/boards.h"
#include "tools/study/runner.h"
#include "tools/study/summary.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

struct Input {
    std::string folder;
    Summary summary;
    bool of_boards = false;  // each board's journals lie in a folder of their own
};

/// A cell on a board: what all folders say of it.
struct Joined {
    const CellFigures* first = nullptr;
    std::string folder, reason;
    std::optional<JournalState> state;
};

std::string id_of(const CellFigures& cell) {
    return fmt::format("{}/{}/{}/{}", cell.model, cell.type, eval::protocol_name(cell.protocol), cell.task);
}

Json study_of(const std::string& folder) {
    const fs::path path = fs::path(folder) / "study.json";
    std::error_code error;
    if (!fs::exists(path, error)) return Json();
    const std::optional<Json> study = json_if(eval::read_bytes(path));
    return study && study->is_object() ? *study : Json();
}

bool same_answer(const eval::Answer& a, const eval::Answer& b) {
    return a.scores == b.scores && a.greedy == b.greedy && a.prediction == b.prediction &&
           a.prediction_norm == b.prediction_norm && a.gold == b.gold && a.cut == b.cut &&
           a.tokens == b.tokens;
}

/// The first of `keys` that two settings differ in, and how; empty: none. Without keys: any.
std::string difference(const Json& a, const Json& b, std::vector<std::string> keys = {}) {
    if (keys.empty())
        for (const Json& settings : {a, b})
            for (const auto& item : settings.items()) keys.push_back(item.key());
    for (const std::string& key : keys) {
        const Json mine = a.value(key, Json()), theirs = b.value(key, Json());
        if (mine != theirs) return fmt::format("{}: {} and {}", key, dump_json(mine), dump_json(theirs));
    }
    return "";
}

/// Adds `more` from `folder`. True if both had answers to the same questions.
bool join(Joined& cell, const std::string& id, JournalState more, const std::string& folder) {
    if (!cell.state) {
        cell.state = std::move(more);
        cell.folder = folder;
        return false;
    }
    JournalState& all = *cell.state;
    const Json &mine = all.header.at("settings"), &theirs = more.header.at("settings");
    if (const std::string differs = difference(mine, theirs); !differs.empty())
        fail(ErrorKind::check_failed, "merge: {} in {} and {} was run under different settings ({})", id,
             cell.folder, folder, differs);
    bool twice = false;
    all.answers.resize(std::max(all.answers.size(), more.answers.size()));
    for (std::size_t i = 0; i < more.answers.size(); ++i) {
        if (!more.answers[i]) continue;
        if (!all.answers[i]) {
            all.answers[i] = std::move(more.answers[i]);
            ++all.answered;
            continue;
        }
        if (!same_answer(*all.answers[i], *more.answers[i]))
            fail(ErrorKind::check_failed,
                 "merge: {} question {}: {} and {} have different answers of one board under the same "
                 "settings",
                 id, i, cell.folder, folder);
        twice = true;
    }
    if (all.load.is_null()) all.load = std::move(more.load);
    if (!all.ended() || (all.status() != "ok" && more.status() == "ok")) all.end = std::move(more.end);
    return twice;
}

/// What is listed in one or the other, in order.
void add_new(Json& list, const Json& more, const char* key) {
    for (const Json& item : more) {
        const auto same = [&](const Json& other) {
            return key == nullptr ? item == other : item.at(key) == other.at(key);
        };
        if (std::none_of(list.begin(), list.end(), same)) list.push_back(item);
    }
}

/// One file's name for two files' contents would put two models into one row.
void add_models(Json& models, const Json& more, const std::string& folder) {
    add_new(models, more, "name");
    for (const Json& model : more)
        for (Json& known : models) {
            if (known.at("name") != model.at("name")) continue;
            const auto mine = known.at("sha256").get<std::string>(),
                       theirs = model.at("sha256").get<std::string>();
            if (mine.empty()) known = model;
            if (!mine.empty() && !theirs.empty() && mine != theirs)
                fail(ErrorKind::check_failed,
                     "merge: {}: model {} is not the one of the folders before (its sha256 differs)", folder,
                     model.at("name").get<std::string>());
        }
}

class Merge {
  public:
    void read(const std::vector<std::string>& folders);
    void write(const fs::path& out, const std::vector<std::string>& folders) const;

  private:
    void add_study(const Input& input);
    void add_cells(const Input& input);
    void compare_boards() const;
    Json study_json(const std::vector<std::string>& folders) const;

    std::vector<Input> inputs_;  // their cells are pointed at
    Json study_, models_ = Json::array(), types_ = Json::array(), tasks_ = Json::array(),
                 protocols_ = Json::array(), boards_ = Json::array();
    std::map<std::string, std::map<std::string, Joined>> cells_;  // by board, by id
    std::size_t twice_ = 0;
};

void Merge::add_study(const Input& input) {
    const Json& study = input.summary.study;
    if (study_.is_null()) study_ = study;
    if (study.value("date", "") > study_.value("date", "")) study_["date"] = study.at("date");
    add_models(models_, study.at("models"), input.folder);
    add_new(types_, study.at("types"), nullptr);
    add_new(tasks_, study.at("tasks"), "name");
    add_new(protocols_, study.at("protocols"), nullptr);
    for (const std::string& board : input.summary.boards) {
        Json row = {{"board", board}, {"machine", machine_of(study, board)}};
        add_new(boards_, Json::array({std::move(row)}), "board");
    }
}

void Merge::add_cells(const Input& input) {
    const std::size_t boards = input.of_boards ? 2 : 1;
    for (const CellFigures& cell : input.summary.cells) {
        const std::string id = id_of(cell);
        Joined& joined = cells_[cell.board][id];
        if (joined.first == nullptr) joined.first = &cell;
        const fs::path path =
            journal_path(journal_root(input.folder, cell.board, boards), cell.model, cell.type,
                         std::string(eval::protocol_name(cell.protocol)), cell.task);
        auto state = read_journal(path);
        if (!state) {
            if (joined.reason.empty() && cell.reason != "not run") joined.reason = cell.reason;
            continue;
        }
        if (!state->header.contains("settings") || !state->header.at("settings").is_object() ||
            state->header.value("cell", Json()) != id)
            fail(ErrorKind::corrupt, "{}:1: expected the journal of {}, found another's", path.string(), id);
        twice_ += join(joined, id + " on " + cell.board, std::move(*state), input.folder);
    }
}

// Boards differ in speed, memory and version; what they were asked must not.
void Merge::compare_boards() const {
    std::map<std::string, const Joined*> seen;
    for (const auto& [board, cells] : cells_)
        for (const auto& [id, cell] : cells) {
            if (!cell.state) continue;
            const auto [first, fresh] = seen.try_emplace(id, &cell);
            if (fresh) continue;
            const std::string differs =
                difference(first->second->state->header.at("settings"), cell.state->header.at("settings"),
                           {"model_sha256", "data_sha256", "labels_sha256", "limit", "exact"});
            if (!differs.empty())
                fail(ErrorKind::check_failed, "merge: {} in {} and {} asked different things ({})", id,
                     first->second->folder, cell.folder, differs);
        }
}

void Merge::read(const std::vector<std::string>& folders) {
    inputs_.reserve(folders.size());
    for (const std::string& folder : folders) {
        Input input{folder, read_summary(folder), false};
        input.of_boards = input.summary.study.value("boards", Json::array()).size() > 1;
        inputs_.push_back(std::move(input));
        try {
            add_study(inputs_.back());
            add_cells(inputs_.back());
        } catch (const Json::exception& problem) {
            fail(ErrorKind::corrupt, "{}: expected a study, found {}", folder, json_reason(problem));
        }
    }
    compare_boards();
    if (twice_ > 0)
        note("tinyllm: {} cell{} answered in more than one folder, alike; the times are the first's", twice_,
             twice_ == 1 ? " was" : "s were");
}

Json Merge::study_json(const std::vector<std::string>& folders) const {
    Json study = study_;
    study["models"] = models_;
    study["types"] = types_;
    study["tasks"] = tasks_;
    study["protocols"] = protocols_;
    study["board"] = boards_.front().at("board");
    study["machine"] = boards_.front().at("machine");
    study["boards"] = boards_;
    study["merged_from"] = folders;
    Json cells = Json::array();
    for (const Json& board : boards_) {
        const auto own = cells_.find(board.at("board").get<std::string>());
        if (own == cells_.end()) continue;
        for (const Json& model : models_)
            for (const Json& type : types_)
                for (const Json& protocol : protocols_)
                    for (const Json& task : tasks_) {
                        const std::string id = fmt::format(
                            "{}/{}/{}/{}", model.at("name").get<std::string>(), type.get<std::string>(),
                            protocol.get<std::string>(), task.at("name").get<std::string>());
                        const auto cell = own->second.find(id);
                        if (cell == own->second.end()) continue;
                        Json planned = {{"model", model.at("name")},
                                        {"type", type},
                                        {"protocol", protocol},
                                        {"task", task.at("name")},
                                        {"data", cell->second.first->data},
                                        {"board", own->first}};
                        if (!cell->second.first->labels.empty())
                            planned["labels"] = cell->second.first->labels;
                        if (!cell->second.reason.empty()) planned["reason"] = cell->second.reason;
                        cells.push_back(std::move(planned));
                    }
    }
    study["cells"] = std::move(cells);
    return study;
}

void Merge::write(const fs::path& out, const std::vector<std::string>& folders) const {
    // First, so that a merge that is stopped may be begun again.
    write_file((out / "study.json").string(), dump_json_pretty(study_json(folders)) + "\n");
    for (const auto& [board, cells] : cells_) {
        const fs::path root = journal_root(out, board, boards_.size());
        std::error_code error;
        fs::create_directories(root / "journal", error);
        if (error) fail(ErrorKind::runtime, "{}: cannot be created: {}", root.string(), error.message());
        for (const auto& [id, cell] : cells) {
            if (!cell.state) continue;
            const CellFigures& figures = *cell.first;
            write_file(journal_path(root, figures.model, figures.type,
                                    std::string(eval::protocol_name(figures.protocol)), figures.task)
                           .string(),
                       journal_text(*cell.state));
        }
    }
}

// Nothing but an earlier merge is written over.
void check_output(const std::string& out, const std::vector<std::string>& folders) {
    std::error_code error;
    for (const std::string& folder : folders)
        if (fs::equivalent(out, folder, error))
            fail(ErrorKind::usage, "merge: {} is to be written and to be read; name another folder first",
                 out);
    const fs::path journals = fs::path(out) / "journal";
    const bool fresh = !fs::exists(fs::path(out) / "study.json", error) &&
                       !fs::exists(fs::path(out) / "results.json", error) &&  // those of `eval -o`, perhaps
                       (!fs::is_directory(journals, error) || fs::is_empty(journals, error));
    if (!fresh && !study_of(out).contains("merged_from"))
        fail(ErrorKind::usage, "merge: {} holds results already; the first folder is the one that is written",
             out);
}

}  // namespace

void merge_studies(const std::string& out, const std::vector<std::string>& folders) {
    check_output(out, folders);
    Merge merge;
    merge.read(folders);
    const ResultsLock lock(out);
    for (const char* old : {"journal", "boards"}) {
        std::error_code error;
        fs::remove_all(fs::path(out) / old, error);
        if (error) fail(ErrorKind::runtime, "{}/{}: cannot be removed: {}", out, old, error.message());
    }
    merge.write(out, folders);
}

bool is_merge_of_boards(const std::string& folder) {
    const Json study = study_of(folder);
    return study.contains("boards") && study.at("boards").size() > 1;
}

}  // namespace tinyllm::study
