// A cell's journal: one JSON line per answered question, written as soon as it is there, so that a study
// killed at any moment goes on behind the last whole line. A line that was being written when the power went
// is cut off; nothing else is ever changed.
//   {"schema": "tinyllm.journal/1", "cell": id, "key": hash of the settings, "settings": {...}}
//   {"load": {...}}                     facts of the loaded model; one per process that worked on the cell
//   {"i": 0, "scores": [...], ...}      one per question
//   {"end": "ok", "usage": {...}, "series": {...}, ...}   or another status with its reason
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/eval/ask.h"
#include "tools/study/plan.h"

namespace tinyllm::study {

/// What a journal holds.
struct JournalState {
    Json header, load, end;                            ///< null where absent
    std::vector<std::optional<eval::Answer>> answers;  ///< by question
    std::size_t answered = 0;
    std::size_t valid_bytes = 0;  ///< up to the end of the last whole line

    bool ended() const { return !end.is_null(); }
    std::string status() const;  ///< "ok", ..., or "" before the end
};

/// Nothing if the file is absent or its header was never finished. Throws Error(corrupt) naming file:line.
std::optional<JournalState> read_journal(const std::filesystem::path& path);

/// The journal of a state: header, load, answers by number, end.
std::string journal_text(const JournalState& state);

class Journal {
  public:
    /// Opens or creates; a torn last line is cut off; a journal of other settings is renamed to *.stale
    /// (`was_stale` says so).
    Journal(const std::filesystem::path& path, const std::string& cell, const Json& settings);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    const JournalState& state() const { return state_; }
    bool was_stale() const { return was_stale_; }

    void add_load(const Json& facts);
    void add_answer(std::size_t index, const eval::Answer& answer);
    void add_end(const std::string& status, const std::string& reason, const Json& facts = Json::object());

  private:
    void append(const Json& line);

    std::filesystem::path path_;
    int file_ = -1;
    JournalState state_;
    bool was_stale_ = false;
};

/// What a name becomes as a part of a file's: other names become other parts.
std::string file_name(const std::string& text);

/// The folder of a study's journals: in a merge of several boards each has one of its own.
std::filesystem::path journal_root(const std::filesystem::path& results, const std::string& board,
                                   std::size_t boards);

/// The journal's file of a cell in a study's folder, or a board's.
std::filesystem::path journal_path(const std::filesystem::path& results, const std::string& model,
                                   const std::string& type, const std::string& protocol,
                                   const std::string& task);

}  // namespace tinyllm::study
