// Backend::top() where logits are computed in the host's memory.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/backend.h"

namespace tinyllm {
namespace {

/// In lanes, which compilers make vectors of: greedy decoding does this for every token.
std::int32_t first_of_largest(std::span<const float> x) {
    constexpr std::size_t kLanes = 16;
    float lanes[kLanes];
    std::ranges::fill(lanes, -std::numeric_limits<float>::infinity());
    std::size_t i = 0;
    for (; i + kLanes <= x.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane)
            lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
    }
    for (; i < x.size(); ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
    const auto found = std::ranges::find(x, std::ranges::max(lanes));
    return found == x.end() ? 0 : static_cast<std::int32_t>(found - x.begin());  // none is a number
}

}  // namespace

bool Backend::top(const TopArgs& args) {
    const std::int32_t row = 0;
    logits({args.x, {&row, 1}, args.norm, args.head, args.bias, args.scale, args.logits, args.phase});
    const std::span<float> logits(args.logits, static_cast<std::size_t>(args.head->rows));
    std::vector<float> before;
    before.reserve(args.penalized.size());
    for (const std::int32_t token : args.penalized) {
        float& logit = logits[static_cast<std::size_t>(token)];
        before.push_back(logit);
        logit = logit > 0 ? logit / args.penalty : logit * args.penalty;
    }

    const auto better = [&](std::int32_t a, std::int32_t b) {
        const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
        if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
        return x != y ? x > y : a < b;
    };
    std::vector<std::int32_t> order;
    if (args.k == 1) {
        order = {first_of_largest(logits)};
    } else {
        order.resize(logits.size());
        std::iota(order.begin(), order.end(), 0);
        std::ranges::partial_sort(order, order.begin() + args.k, better);
    }
    for (std::int32_t i = 0; i < args.k; ++i) {
        args.tokens[i] = order[static_cast<std::size_t>(i)];
        args.values[i] = logits[static_cast<std::size_t>(args.tokens[i])];
    }
    if (args.total) {
        *args.total = 0;
        for (const float logit : logits)
            *args.total += std::exp((static_cast<double>(logit) - args.values[0]) / args.temperature);
    }
    for (std::size_t i = 0; i < before.size(); ++i)
        logits[static_cast<std::size_t>(args.penalized[i])] = before[i];
    return true;
}

}  // namespace tinyllm
