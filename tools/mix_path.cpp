#include "tools/mix_path.h"

#include <algorithm>

namespace tinyllm {

namespace {

double cost_per_byte(const MixChoice& from, const MixChoice& to) {
    return (to.error - from.error) / static_cast<double>(from.bytes - to.bytes);
}

}  // namespace

std::vector<MixChoice> worthwhile(std::vector<MixChoice> choices) {
    std::ranges::stable_sort(choices, [](const MixChoice& a, const MixChoice& b) {
        return a.error != b.error ? a.error < b.error : a.bytes < b.bytes;
    });
    std::vector<MixChoice> hull;  // the lower convex hull of error over bytes
    for (const MixChoice& choice : choices) {
        if (!hull.empty() && choice.bytes >= hull.back().bytes) continue;  // larger and worse
        while (hull.size() > 1 && cost_per_byte(hull[hull.size() - 2], choice) <=
                                      cost_per_byte(hull[hull.size() - 2], hull.back())) {
            hull.pop_back();
        }
        hull.push_back(choice);
    }
    return hull;
}

std::vector<MixStep> mix_path(const std::vector<MixWeight>& weights) {
    std::vector<MixStep> steps;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::vector<MixChoice> choices = worthwhile(weights[i].choices);
        for (std::size_t c = 1; c < choices.size(); ++c) {
            steps.push_back({i, c, choices[c - 1].bytes - choices[c].bytes,
                             weights[i].sensitivity * (choices[c].error - choices[c - 1].error)});
        }
    }
    // Of one weight each step costs more per byte than the one before, so sorting keeps their order.
    std::ranges::stable_sort(steps, {},
                             [](const MixStep& step) { return step.cost / static_cast<double>(step.saved); });
    return steps;
}

}  // namespace tinyllm
