// How far a model's predictions are from those of the same model before it was changed.
#pragma once

#include <string>
#include <vector>

#include "tinyllm/model.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

/// What a model predicts behind each token of some pieces of text, to compare others with.
class Predictions {
  public:
    /// Pieces of `text`, or where it is empty of what the model at `path` writes by itself (temperature 1,
    /// fixed seeds). Throws Error(usage) for a text too short to take pieces from.
    Predictions(const std::string& path, const std::string& text);

    /// Mean Kullback-Leibler divergence of the predictions of the model at `path` from these, in nats.
    double divergence_of(const std::string& path) const;
    std::size_t positions() const;

  private:
    std::vector<std::vector<Token>> pieces_;
    std::vector<std::vector<float>> logprobs_;  // per position (vocab)
};

}  // namespace tinyllm
