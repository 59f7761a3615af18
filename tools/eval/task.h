// A benchmark task: which files it reads, how a row becomes the harness's requests and the study's prompt.
// tools/eval/tasks/<name>.cpp defines `const eval::Task& task_<name>()`; the table of all is generated from
// the file names.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/eval/row.h"

namespace tinyllm {
namespace eval {

/// How a model is asked: as lm-evaluation-harness does, or as the published study did. Never mixed in one
/// figure.
enum class Protocol { lm_eval, study };

std::string_view protocol_name(Protocol protocol);     ///< "lm-eval", "study"
Protocol protocol_from_name(const std::string& name);  ///< Throws Error(usage).

enum class Split { dev, test, train };

std::string_view split_name(Split split);  ///< in the Hugging Face data sets: "validation", "test", "train"

/// Behind a task's name: not its questions but what examples in front of them are drawn from.
inline constexpr std::string_view kTrainingMark = ":train";

struct Pair {
    std::string context, continuation;
};

/// One row, ready to be asked under either protocol.
struct Example {
    Json doc;                          ///< the row with the columns of the Hugging Face data set
    Json target;                       ///< what the harness logs as the target
    std::vector<Pair> pairs;           ///< one per choice
    std::vector<std::size_t> lengths;  ///< of the choices, in code points
    int gold = 0;
    std::string prompt;   ///< the study's
    int letters = 0;      ///< options it offers, from A
    int prompt_gold = 0;  ///< -1: no letter can be right (an answer key that is a digit)
    std::string note;     ///< what differs from the protocol, for a warning; mostly empty
};

struct DataName {
    std::string_view name;  ///< the release's file name
    Split split;
    std::size_t rows = 0;  ///< of the official split; 0 where another name of the split says it
};

struct Task {
    std::string_view name;            ///< the harness's
    std::string_view title;           ///< for people: "ARC-Easy"
    std::string_view dataset;         ///< Hugging Face path
    std::string_view config;          ///< and configuration there
    double version = 1.0;             ///< of the harness's task definition
    bool normalised = false;          ///< reports acc_norm too
    Split scored = Split::dev;        ///< by the harness; the study always uses dev
    std::size_t study_rows = 0;       ///< the study asks only the first so many; 0: all
    bool options_in_context = false;  ///< the choices differ in their contexts and share one continuation
    std::vector<DataName> files;
    /// The release's names, the first that of JSON lines with their labels in them, as the Hugging Face data
    /// set has its rows; examples are drawn from them.
    std::vector<std::string_view> training_files;
    std::size_t training_rows = 0;  ///< of the official training split
    std::vector<std::string_view>
        path_words;  ///< needed in the path (lower case, letters and digits only), if any
    std::vector<std::string_view> not_in_path;  ///< must not be there
    /// 0: the row is another task's; else the larger, the better it suits the protocol.
    int (*fits)(const Json& row, Protocol protocol) = nullptr;
    Example (*read)(const Row& row) = nullptr;
};

/// The task called `name`. Throws Error(usage) listing all names.
const Task& find_task(std::string_view name);

/// " " + choice for each, and the lengths of the choices.
void set_continuations(Example& example, const std::string& context, const std::vector<std::string>& choices);

/// The study's lettered question: instruction, body, one line per option.
std::string lettered_prompt(const std::string& body, const std::vector<std::string>& options);

}  // namespace eval

std::vector<const eval::Task& (*)()> all_tasks();

}  // namespace tinyllm
