// The child process of one model at one type: loads it once, answers what its cells still lack. A process of
// its own makes the peak of memory the model's own, and keeps the study alive when the model does not fit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tinyllm/error.h"
#include "tools/eval/scorer.h"
#include "tools/study/journal.h"
#include "tools/study/plan.h"

namespace tinyllm::study {

/// A model ready to be asked, with the facts a report shows of it.
struct LoadedModel {
    eval::Scorer scorer;
    Json facts;  ///< {architecture, parameters, weight_bytes, load_ms, backend, threads, context, main_type}
};
using Loader = std::function<LoadedModel(const StudyModel&, const std::string& type)>;

/// Loads through the engine with the study's device, threads and exactness.
Loader engine_loader(const StudyOptions& options);

struct WorkerJob {
    const Plan* plan = nullptr;
    const StudyOptions* options = nullptr;
    std::vector<std::size_t> cells;  ///< indices into the plan, all of one model and type
};

/// Runs the job in this process. Each event is one line to `events`: "load", "loaded", "cell <index>", "item
/// <done> <total>", "wait" and "go" around a pause of a hot board, "end <index>". Errors of the model or the
/// data end their cells in the journal; errors of writing, and a board that does not cool down
/// (ErrorKind::check_failed), are thrown.
void run_worker(const WorkerJob& job, const Loader& loader, int events);

/// How an error is named in a journal: "unsupported", "oom" or "failed".
std::string status_of(const Error& error);

}  // namespace tinyllm::study
