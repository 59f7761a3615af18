// One model, some tasks, one protocol: what `tinyllm eval` does.
#pragma once

#include <string>
#include <vector>

#include "tinyllm/session.h"
#include "tools/monitor/flags.h"
#include "tools/output.h"

namespace tinyllm::eval {

struct RunOptions {
    std::string model;
    std::vector<std::string> tasks, data, thresholds;
    std::string protocol = "lm-eval", type, cores, device = "auto";
    int num_fewshot = 0, threads = 0;
    int batch = 0;  ///< questions run at once; 0: as many as fill steps, or 1 where each is timed (study)
    double limit = 0;
    OutputOptions output;  ///< path: the folder for results.json and samples
    bool log_samples = false, exact = false;
    SessionOptions session;  ///< types of the cache
    std::string packed_cache;
    bool no_memory_check = false;
    monitor::MonitorFlags monitor;
};

/// Prints the result to stdout, progress and warnings to stderr. Returns the exit code: 0, or 8 below a
/// threshold. Throws Error.
int run_eval(const RunOptions& options);

}  // namespace tinyllm::eval
