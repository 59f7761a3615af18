// The order in which a model's weights become smaller: at every step the one whose errors grow least for the
// bytes it saves.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tinyllm/dtype.h"

namespace tinyllm {

/// One type that a weight can have.
struct MixChoice {
    DType type = DType::f16;
    std::int64_t bytes = 0;  ///< in the file
    double error = 0;        ///< squared, relative to the weight's own size
};

struct MixWeight {
    std::string name;
    std::vector<MixChoice> choices;  ///< any order
    double sensitivity = 1;          ///< what an error of 1 costs
};

/// Which choices are worth having: largest first, each step to the next costing more per byte than the one
/// before. The first is the most accurate.
std::vector<MixChoice> worthwhile(std::vector<MixChoice> choices);

/// One step down: weight `weight` becomes its worthwhile choice number `choice`.
struct MixStep {
    std::size_t weight = 0, choice = 0;
    std::int64_t saved = 0;  ///< bytes
    double cost = 0;         ///< sensitivity times the error's growth
};

/// All steps from the most accurate mix to the smallest one, cheapest per byte first; equals in the weights'
/// order. The first k of them make the best mix of its size.
std::vector<MixStep> mix_path(const std::vector<MixWeight>& weights);

}  // namespace tinyllm
