// Accuracy alone, of one model after another on the same questions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tinyllm/model.h"
#include "tools/eval/find_data.h"
#include "tools/eval/task.h"

namespace tinyllm::eval {

class AccuracyMeter {
  public:
    /// Questions of `tasks` under lm-evaluation-harness's protocol; `limit` as in load_questions(). Throws
    /// Error.
    AccuracyMeter(const std::vector<std::string>& tasks, const std::vector<std::string>& data, double limit);

    const std::vector<std::string>& tasks() const { return names_; }
    /// Right answers' share of each task.
    std::vector<double> measure(const std::shared_ptr<const Model>& model) const;

  private:
    std::vector<std::string> names_;
    std::vector<std::vector<Example>> examples_;
};

}  // namespace tinyllm::eval
