// Runs a plan: one child process per model and type, journals, time-outs, signals.
#pragma once

#include "tools/study/worker.h"

namespace tinyllm::study {

/// Creates the results folder and holds its lock until destroyed. Throws Error(runtime) if another process
/// holds it.
class ResultsLock {
  public:
    explicit ResultsLock(const std::string& folder);
    ~ResultsLock();
    ResultsLock(const ResultsLock&) = delete;
    ResultsLock& operator=(const ResultsLock&) = delete;

  private:
    int file_ = -1;
};

/// Runs every chosen cell that has not ended. True if all were gone through, false if a signal stopped it.
/// Throws Error.
bool run_plan(const Plan& plan, const StudyOptions& options, const Loader& loader);

}  // namespace tinyllm::study
