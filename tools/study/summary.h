// What the journals of a study say: figures per cell, per model and type, and what changes from type to type.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/metrics.h"
#include "tools/study/journal.h"

namespace tinyllm::study {

struct CellFigures {
    std::string model, type, task, title, data;
    std::string board;   ///< label of the machine that answered (boards.h)
    std::string labels;  ///< the file with the right answers, where they stand apart
    eval::Protocol protocol = eval::Protocol::lm_eval;
    bool normalised = false;  ///< acc_norm is reported
    std::string status;       ///< "ok", "oom", "unsupported", "timeout", "failed", "skipped"
    std::string reason;
    eval::TaskFigures figures;          ///< only if ok
    std::vector<eval::Answer> answers;  ///< only if ok
    std::optional<std::int64_t> peak_bytes;
    Json load, settings;
    Json usage;   ///< what the sensors said (tools/monitor/usage.h); null if nobody asked them
    Json series;  ///< heat and power over time (tools/monitor/trace.h), and when its process "started"; or
                  ///< null
    std::vector<std::string> notes;

    bool ok() const { return status == "ok"; }
};

/// One model at one type under one protocol on one board.
struct Entry {
    std::string model, type, board;
    bool one_of_boards = false;  ///< the summary has several boards
    eval::Protocol protocol = eval::Protocol::lm_eval;
    std::vector<const CellFigures*> cells;  ///< in the order of the tasks
    std::optional<eval::Mean> average;      ///< of the tasks' accuracies; none unless every task has one
    std::optional<double> average_norm;     ///< the same with acc_norm where reported
    std::optional<eval::Latency> latency;   ///< over all questions
    std::vector<double> ms;
    std::optional<double> questions_per_s;
    std::optional<std::int64_t> peak_bytes, weight_bytes, parameters;
    std::optional<double> load_ms;
    /// Over the questions of all cells; none unless it was measured in each that has figures.
    std::optional<double> joules_per_question, joules_per_question_net, joules_per_correct, power_W;
    std::optional<double> temp_C;  ///< the highest
    std::optional<bool> throttled;
    std::string backend;

    std::string name() const { return model + " " + type + (one_of_boards ? " on " + board : ""); }
    std::optional<double> ratio_fp32() const;
};

/// Accuracy of `other` less that of `base` over the questions both answered, in shares, with the standard
/// error of the paired difference.
eval::Mean paired_difference(const Entry& base, const Entry& other);

/// Entries no other beats in both: higher accuracy at lower `cost`. Those without either figure are left out.
std::vector<const Entry*> front(const std::vector<const Entry*>& entries,
                                const std::function<std::optional<double>(const Entry&)>& cost);

struct Summary {
    Json study;  ///< study.json
    std::vector<CellFigures> cells;
    std::vector<std::string> models, types, tasks, titles;
    std::vector<std::string> boards;  ///< at least one; several after `study merge`
    std::vector<eval::Protocol> protocols;
    std::vector<Entry> entries;  ///< ordered by protocol, model, type, board

    bool several_boards() const { return boards.size() > 1; }
    std::vector<const Entry*> of(eval::Protocol protocol) const;
    /// An empty `board`: the first that has such an entry.
    const Entry* find(eval::Protocol protocol, const std::string& model, const std::string& type,
                      const std::string& board = "") const;
    /// The first cell of a task that has figures: its chance and constant answer are the data's, not the
    /// model's.
    const CellFigures* any(eval::Protocol protocol, const std::string& task) const;
    Json json() const;  ///< results.json
};

/// Reads `folder`/study.json and the journals. Throws Error(not_found, corrupt).
Summary read_summary(const std::string& folder);

/// What one of the boards says, as if it had been alone: `study`'s machine, cells and entries are its own.
Summary of_board(const Summary& summary, const std::string& board);

/// What `words` says of each board, every sentence behind the board's name.
std::vector<std::string> board_by_board(const Summary& summary,
                                        const std::function<std::vector<std::string>(const Summary&)>& words);

}  // namespace tinyllm::study
