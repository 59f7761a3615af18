// What a cell would take, by tools/predict's arithmetic; nothing of the weights is read.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/study/plan.h"

namespace tinyllm::study {

/// All estimated. Nothing: not known.
struct Estimated {
    std::optional<std::int64_t> peak_bytes;
    std::optional<double> question_ms, load_ms;
};

class Estimator {
  public:
    /// Measures this machine where it is the board meant (about a second). Throws what predict::find_board()
    /// throws.
    explicit Estimator(const StudyOptions& options);
    ~Estimator();
    Estimator(const Estimator&) = delete;
    Estimator& operator=(const Estimator&) = delete;

    std::string board() const;  ///< for people
    /// What the board leaves to a model; of this machine: now.
    std::optional<std::int64_t> available_bytes() const;

    /// Bytes of the model's weights as its publisher stores them, about what a download is. Nothing for a
    /// model whose shape is not known.
    std::optional<std::int64_t> stored_bytes(const StudyModel& model);

    Estimated of(const StudyModel& model, const std::string& type, eval::Protocol protocol,
                 const std::string& task);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tinyllm::study
