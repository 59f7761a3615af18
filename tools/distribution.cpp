#include "tools/distribution.h"

#include <algorithm>
#include <cmath>

namespace tinyllm {

std::vector<float> log_softmax(std::span<const float> logits) {
    const float most = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
    const auto offset = static_cast<float>(most + std::log(sum));
    std::vector<float> out(logits.begin(), logits.end());
    for (float& x : out) x -= offset;
    return out;
}

double divergence(std::span<const float> p, std::span<const float> q) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
        sum += std::exp(static_cast<double>(p[i])) * (static_cast<double>(p[i]) - q[i]);
    return sum;
}

}  // namespace tinyllm
