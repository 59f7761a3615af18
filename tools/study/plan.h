// What a study runs: models x types x protocols x tasks.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/find_data.h"
#include "tools/eval/model_files.h"
#include "tools/monitor/flags.h"
#include "tools/study/shard.h"

namespace tinyllm::study {

using eval::Json;

/// What a study file says of a model that may not be at hand.
struct StatedModel {
    std::optional<std::int64_t> parameters, download_bytes;
};

struct StudyOptions {
    std::string study, title;  ///< of the study file; empty: none
    std::vector<std::string> models, tasks, types, protocols, data, only, skip;
    std::map<std::string, StatedModel> stated;  ///< by what `models` calls it
    double limit = 0;                           ///< of every task that `limits` does not name
    std::map<std::string, double> limits;       ///< by task
    double timeout = 0;                         ///< seconds per cell; 0: none
    int threads = 0;
    std::string cores, device = "auto", output = "results", packed_cache;
    std::string label;           ///< what this machine is called; empty: board_label()
    std::string board = "this";  ///< whose time and memory `plan` estimates (tools/predict/board.h)
    bool exact = false, fresh = false;
    bool plan = false;  ///< nothing will be run: no file is hashed
    bool pull = false;  ///< what is missing is fetched first
    Shard shard;
    monitor::MonitorFlags monitor;
};

/// The first so many questions of a task (or a share below 1) that are asked; 0: all.
double limit_of(const StudyOptions& options, std::string_view task);

/// Takes "100", "0.1" and "boolq=100". Throws Error(usage) beginning with `flag`.
void set_limit(StudyOptions& options, const std::string& text, const std::string& flag);

struct StudyModel {
    std::string name;        ///< last part of the path, unique within a study
    std::string argument;    ///< as it was given
    std::string path;        ///< empty: not here
    std::string missing;     ///< why not, and what would help
    eval::ModelFiles files;  ///< only of models that will be loaded
};

/// One figure of the study.
struct Cell {
    std::string model, type, task;
    eval::Protocol protocol = eval::Protocol::lm_eval;
    bool chosen = true;   ///< by --only, --skip and --shard
    std::string missing;  ///< why it cannot be run: its model or its questions are not here

    bool runs() const { return chosen && missing.empty(); }
    std::string id() const;  ///< "model/type/protocol/task"
};

struct Plan {
    std::vector<StudyModel> models;
    std::vector<std::string> types;
    std::vector<eval::Protocol> protocols;
    std::vector<const eval::Task*> tasks;
    std::vector<Cell> cells;   ///< ordered by model, type, protocol, task
    bool pulled_data = false;  ///< questions are those that `tinyllm pull data:TASK` fetched
    struct Data {
        eval::DataFile file;
        std::string sha256, labels_sha256;
    };
    std::map<std::pair<eval::Protocol, std::string>, Data> data;  ///< less what is not here
    Json machine;
    std::string board;

    const StudyModel& model(const std::string& name) const;
};

/// Resolves models, tasks and data. Empty lists mean: the embedded models and questions, every task that has
/// data, the types f32, f16, q8_0, q4_0, both protocols. Models of a study file are asked what was pulled
/// unless it names data. Models of the hub, and pulled questions, may be missing: their cells say so. Throws
/// Error(usage, not_found).
Plan make_plan(const StudyOptions& options);

/// What decides a cell's answers; a journal of other settings is not gone on with.
Json cell_settings(const Plan& plan, const Cell& cell, const StudyOptions& options);

/// study.json: what `study report` needs beside the journals.
Json plan_json(const Plan& plan, const StudyOptions& options);

}  // namespace tinyllm::study
