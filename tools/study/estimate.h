// What a cell would take, by tools/predict's arithmetic; nothing of the weights is read.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/study/plan.h"

namespace tinyllm::study {

/// A question as a model is given it, in tokens. No answers: the letter behind the prompt is all that is
/// asked.
struct QuestionSize {
    double prompt = 0, answers = 0, answer = 0;
};

/// All estimated.
struct Estimated {
    std::optional<std::int64_t> peak_bytes;
    std::optional<double> question_ms, load_ms;
};

class Estimator {
  public:
    explicit Estimator(const StudyOptions& options);
    ~Estimator();
    Estimator(const Estimator&) = delete;
    Estimator& operator=(const Estimator&) = delete;

    /// Bytes of the model's weights as its publisher stores them: what a download is at least. Nothing for
    /// one whose shape is not known.
    std::optional<std::int64_t> stored_bytes(const StudyModel& model);

    /// Nothing where the model's shape is not known, or the type is none for it.
    Estimated of(const StudyModel& model, const std::string& type, const QuestionSize& question);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tinyllm::study
