// Next-token distributions and how far they are from one another.
#pragma once

#include <span>
#include <vector>

namespace tinyllm {

/// Natural logarithms of the probabilities, (vocab).
std::vector<float> log_softmax(std::span<const float> logits);

/// Kullback-Leibler divergence of q from p in nats, both log-probabilities of the same tokens.
double divergence(std::span<const float> p, std::span<const float> q);

}  // namespace tinyllm
