// Answered examples in front of a question, drawn as lm-evaluation-harness 0.4.13 draws them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/eval/python_random.h"
#include "tools/eval/task.h"

namespace tinyllm::eval {

inline constexpr std::uint32_t kFewShotSeed = 1234;  ///< the harness's default

/// Gives every question of a task its examples.
///
/// The harness's rule: one generator a task, seeded once, draws `shots` rows of the training split for each
/// question in the file's order. Where a task has no test split it draws one row more, drops those that equal
/// the question and keeps the first `shots`; if too few are left, it draws again from all rows that differ.
class FewShot {
  public:
    /// `pool`: the rows to draw from; `place` names them in messages. Throws Error(usage) if they are too
    /// few.
    FewShot(const Task& task, std::vector<Row> pool, std::string place, std::size_t shots);

    /// Puts examples in front of every context of `question`. Call it once for each question, in the file's
    /// order from the first on. Throws Error(corrupt) for a row that is none of the task's.
    void add_to(Example& question);

  private:
    std::vector<Example> draw(const Example& question);

    const Task& task_;
    std::vector<Row> pool_;
    std::string place_;
    std::size_t shots_;
    bool leaves_out_question_;
    PythonRandom random_{kFewShotSeed};
};

/// An example with its answer and the blank line behind it.
std::string answered(const Task& task, const Example& example);

}  // namespace tinyllm::eval
