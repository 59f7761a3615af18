// What a study runs: models x types x protocols x tasks.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/eval/find_data.h"
#include "tools/eval/model_files.h"
#include "tools/monitor/flags.h"

namespace tinyllm::study {

using eval::Json;

struct StudyOptions {
    std::vector<std::string> models, tasks, types, protocols, data, only, skip;
    double limit = 0;
    double timeout = 0;  ///< seconds per cell; 0: none
    int threads = 0;
    std::string cores, device = "auto", output = "results", packed_cache;
    std::string board;  ///< what this machine is called; empty: board_label()
    bool exact = false, fresh = false, plan = false;
    monitor::MonitorFlags monitor;
};

struct StudyModel {
    std::string name;  ///< last part of the path, unique within a study
    std::string path;
    eval::ModelFiles files;
};

/// One figure of the study.
struct Cell {
    std::string model, type, task;
    eval::Protocol protocol = eval::Protocol::lm_eval;
    bool chosen = true;  ///< by --only and --skip

    std::string id() const;  ///< "model/type/protocol/task"
};

struct Plan {
    std::vector<StudyModel> models;
    std::vector<std::string> types;
    std::vector<eval::Protocol> protocols;
    std::vector<const eval::Task*> tasks;
    std::vector<Cell> cells;  ///< ordered by model, type, protocol, task
    struct Data {
        eval::DataFile file;
        std::string sha256, labels_sha256;
    };
    std::map<std::pair<eval::Protocol, std::string>, Data> data;
    Json machine;
    std::string board;

    const StudyModel& model(const std::string& name) const;
};

/// Resolves models, tasks and data. Empty lists mean: the embedded models and questions, every task that has
/// data, the types f32, f16, q8_0, q4_0, both protocols. Throws Error(usage, not_found).
Plan make_plan(const StudyOptions& options);

/// What decides a cell's answers; a journal of other settings is not gone on with.
Json cell_settings(const Plan& plan, const Cell& cell, const StudyOptions& options);

/// study.json: what `study report` needs beside the journals.
Json plan_json(const Plan& plan, const StudyOptions& options);

}  // namespace tinyllm::study
