// Figures over the answers of one task.
#pragma once

#include <optional>
#include <vector>

#include "tools/eval/ask.h"

namespace tinyllm::eval {

/// A mean with the standard error of the sample; none for a single value.
struct Mean {
    double value = 0;
    std::optional<double> stderr_;
};
Mean mean_of(const std::vector<double>& values);

/// Linear interpolation between closest ranks (numpy's default). `p` in [0, 1]; `values` in any order, not
/// empty.
double percentile(std::vector<double> values, double p);

struct Latency {
    double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};
Latency latency_of(const std::vector<double>& ms);

/// Wilson's 95 % interval of `hits` in `n`.
struct Interval {
    double low = 0, high = 1;
};
Interval wilson(std::size_t hits, std::size_t n);

struct TaskFigures {
    std::size_t n = 0;
    Mean acc, acc_norm;
    double chance = 0;    ///< mean of 1 / number of choices
    double constant = 0;  ///< accuracy of the best constant answer: the majority's share
    int constant_choice = 0;
    std::vector<double> predicted;  ///< share of each choice among the predictions
    Latency latency;
    double total_ms = 0;
    std::size_t cut = 0;     ///< requests that lost tokens to the context's limit
    std::size_t tokens = 0;  ///< run by the model
};
TaskFigures figures_of(const std::vector<Answer>& answers);

}  // namespace tinyllm::eval
