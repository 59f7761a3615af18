#include "tools/eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tinyllm::eval {

Mean mean_of(const std::vector<double>& values) {
    Mean mean;
    if (values.empty()) return mean;
    const auto n = static_cast<double>(values.size());
    mean.value = std::accumulate(values.begin(), values.end(), 0.0) / n;
    if (values.size() > 1) {
        double squares = 0;
        for (double x : values) squares += (x - mean.value) * (x - mean.value);
        mean.stderr_ = std::sqrt(squares / (n - 1)) / std::sqrt(n);
    }
    return mean;
}

double percentile(std::vector<double> values, double p) {
    std::sort(values.begin(), values.end());
    const double at = p * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

Latency latency_of(const std::vector<double>& ms) {
    Latency latency;
    if (ms.empty()) return latency;
    latency.mean = mean_of(ms).value;
    latency.p50 = percentile(ms, 0.50);
    latency.p90 = percentile(ms, 0.90);
    latency.p95 = percentile(ms, 0.95);
    latency.p99 = percentile(ms, 0.99);
    latency.max = *std::max_element(ms.begin(), ms.end());
    return latency;
}

Interval wilson(std::size_t hits, std::size_t n) {
    if (n == 0) return {};
    constexpr double kZ = 1.959963984540054;
    const auto count = static_cast<double>(n);
    const double p = static_cast<double>(hits) / count;
    const double scale = 1 + kZ * kZ / count;
    const double middle = (p + kZ * kZ / (2 * count)) / scale;
    const double half = kZ * std::sqrt(p * (1 - p) / count + kZ * kZ / (4 * count * count)) / scale;
    return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

TaskFigures figures_of(const std::vector<Answer>& answers) {
    TaskFigures figures;
    figures.n = answers.size();
    if (answers.empty()) return figures;
    std::size_t most_choices = 0;
    for (const Answer& answer : answers) most_choices = std::max(most_choices, answer.scores.size());
    std::vector<double> acc, acc_norm, ms, golds(most_choices);
    std::vector<std::size_t> asked(most_choices + 1);  // by number of choices
    figures.predicted.assign(most_choices, 0);
    for (const Answer& answer : answers) {
        acc.push_back(answer.prediction == answer.gold);
        acc_norm.push_back(answer.prediction_norm == answer.gold);
        ms.push_back(answer.ms);
        ++asked[answer.scores.size()];
        ++figures.predicted[static_cast<std::size_t>(answer.prediction)];
        if (answer.gold >= 0) ++golds.at(static_cast<std::size_t>(answer.gold));
        figures.cut += answer.cut;
        figures.tokens += answer.tokens;
        figures.total_ms += answer.ms;
    }
    figures.acc = mean_of(acc);
    figures.acc_norm = mean_of(acc_norm);
    figures.constant_choice = argmax(golds);
    // Counted first: a sum of shares would say 1.0000000000000004.
    const auto n = static_cast<double>(answers.size());
    figures.constant = golds[static_cast<std::size_t>(figures.constant_choice)] / n;
    for (double& share : figures.predicted) share /= n;
    for (std::size_t k = 1; k < asked.size(); ++k)
        figures.chance += static_cast<double>(asked[k]) / n / static_cast<double>(k);
    figures.latency = latency_of(ms);
    return figures;
}

}  // namespace tinyllm::eval
