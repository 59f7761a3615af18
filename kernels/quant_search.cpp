#include "kernels/quant_search.h"

#include "kernels/quant_convert.h"

namespace tinyllm {
namespace {

/// Sums of weight * x * l and weight * l^2: their quotient is the best scale for the levels l.
struct Fit {
    float product = 0, square = 0;
};

int centred(float x, int half) {
    return std::clamp(nearest_integer(x), -half, half - 1);
}

Fit fit(const float* x, const float* weights, int n, int half, float inverse) {
    Fit sums;
    for (int i = 0; i < n; ++i) {
        const auto l = static_cast<float>(centred(inverse * x[i], half));
        sums.product += weights[i] * x[i] * l;
        sums.square += weights[i] * l * l;
    }
    return sums;
}

}  // namespace

float search_symmetric(const float* x, const float* weights, int n, int half, std::uint8_t* levels) {
    const float extreme = largest(x, n);
    for (int i = 0; i < n; ++i) levels[i] = 0;
    if (std::fabs(extreme) < kNoMagnitude) return 0;
    float inverse = static_cast<float>(-half) / extreme;
    const Fit first = fit(x, weights, n, half, inverse);
    float scale = first.square != 0 ? first.product / first.square : 0.0f;
    float best = scale * first.product;
    for (int i = -9; i <= 9; ++i) {
        if (i == 0) continue;
        const float tried = -(static_cast<float>(half) + 0.1f * static_cast<float>(i)) / extreme;
        const Fit sums = fit(x, weights, n, half, tried);
        if (sums.square > 0 && sums.product * sums.product > best * sums.square) {
            inverse = tried;
            scale = sums.product / sums.square;
            best = scale * sums.product;
        }
    }
    for (int i = 0; i < n; ++i) levels[i] = static_cast<std::uint8_t>(half + centred(inverse * x[i], half));
    return scale;
}

float search_by_element(const float* x, int half, std::uint8_t* levels) {
    const float extreme = largest(x, kSubBlock);
    std::fill(levels, levels + kSubBlock, std::uint8_t{0});
    if (std::fabs(extreme) < kNoMagnitude) return 0;
    const float inverse = static_cast<float>(-half) / extreme;
    float weights[kSubBlock];
    for (int i = 0; i < kSubBlock; ++i) weights[i] = x[i] * x[i];
    Fit sums = fit(x, weights, kSubBlock, half, inverse);
    int chosen[kSubBlock];
    for (int i = 0; i < kSubBlock; ++i) chosen[i] = centred(inverse * x[i], half);
    bool changed = true;
    for (int round = 0; round < 5 && changed; ++round) {
        changed = false;
        for (int i = 0; i < kSubBlock; ++i) {
            const float weight = weights[i];
            const auto old_level = static_cast<float>(chosen[i]);
            Fit others = sums;  // without this element
            others.product -= weight * x[i] * old_level;
            if (!(others.product > 0)) continue;
            others.square -= weight * old_level * old_level;
            const int candidate = centred(x[i] * others.square / others.product, half);
            if (candidate == chosen[i]) continue;
            const auto level = static_cast<float>(candidate);
            others.product += weight * x[i] * level;
            others.square += weight * level * level;
            if (others.square > 0 &&
                others.product * others.product * sums.square > sums.product * sums.product * others.square) {
                chosen[i] = candidate;
                sums = others;
                changed = true;
            }
        }
    }
    for (int i = 0; i < kSubBlock; ++i) levels[i] = static_cast<std::uint8_t>(chosen[i] + half);
    return sums.square > 0 ? sums.product / sums.square : 0.0f;
}

float search_positive(const float* x, const float* weights, int n, int top, std::uint8_t* levels) {
    const float extreme = *std::max_element(x, x + n);
    for (int i = 0; i < n; ++i) levels[i] = 0;
    if (!(extreme >= kNoMagnitude)) return 0;
    const auto level = [&](float value) { return std::min(top, nearest_integer(value)); };
    const auto error = [&](float tried) {
        const float scale = 1 / tried;
        float sum = 0;
        for (int i = 0; i < n; ++i) {
            const float off = x[i] - scale * static_cast<float>(level(tried * x[i]));
            sum += weights[i] * off * off;
        }
        return sum;
    };
    float inverse = static_cast<float>(top) / extreme;
    float best = error(inverse);
    for (int i = -4; i <= 4; ++i) {
        if (i == 0) continue;
        const float tried = (0.1f * static_cast<float>(i) + static_cast<float>(top)) / extreme;
        const float found = error(tried);
        if (found < best) {
            best = found;
            inverse = tried;
        }
    }
    Fit sums;
    for (int i = 0; i < n; ++i) {
        const int l = level(inverse * x[i]);
        levels[i] = static_cast<std::uint8_t>(l);
        sums.product += weights[i] * x[i] * static_cast<float>(l);
        sums.square += weights[i] * static_cast<float>(l) * static_cast<float>(l);
    }
    bool changed = true;
    for (int round = 0; round < 5 && changed; ++round) {
        changed = false;
        for (int i = 0; i < n; ++i) {
            const auto old_level = static_cast<float>(levels[i]);
            Fit others = sums;  // without this element
            others.product -= weights[i] * x[i] * old_level;
            others.square -= weights[i] * old_level * old_level;
            if (!(others.product > 0 && others.square > 0)) continue;
            const int candidate = level(x[i] * others.square / others.product);
            if (candidate == levels[i]) continue;
            const auto l = static_cast<float>(candidate);
            others.product += weights[i] * x[i] * l;
            others.square += weights[i] * l * l;
            if (others.product * others.product * sums.square > sums.product * sums.product * others.square) {
                levels[i] = static_cast<std::uint8_t>(candidate);
                sums = others;
                changed = true;
            }
        }
    }
    return sums.square > 0 ? sums.product / sums.square : 0.0f;
}

Affine search_affine(const float* x, const float* weights, int n, const AffineSearch& how,
                     std::uint8_t* levels) {
    float low = x[0], high = x[0];
    float sum_w = weights[0], sum_x = weights[0] * x[0];
    for (int i = 1; i < n; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        sum_w += weights[i];
        sum_x += weights[i] * x[i];
    }
    if (low > 0) low = 0;
    for (int i = 0; i < n; ++i) levels[i] = 0;
    if (high == low) return {0, -low};

    float minimum = low;  // the best so far; the next steps are tried from there
    std::uint8_t tried[kQuantBlock];
    const auto choose = [&](float inverse) {
        for (int i = 0; i < n; ++i) {
            tried[i] = static_cast<std::uint8_t>(
                std::clamp(nearest_integer(inverse * (x[i] - minimum)), 0, how.top));
        }
    };
    const auto error = [&](float by, float from) {
        float sum = 0;
        for (int i = 0; i < n; ++i) {
            float off = by * static_cast<float>(tried[i]) + from - x[i];
            off = how.absolute ? std::fabs(off) : off * off;
            sum += weights[i] * off;
        }
        return sum;
    };
    const float inverse = static_cast<float>(how.top) / (high - low);
    float scale = 1.0f / inverse;
    choose(inverse);
    std::copy_n(tried, n, levels);
    float best = error(scale, minimum);
    for (int step = 0; step <= how.count; ++step) {
        choose((how.first + how.step * static_cast<float>(step) + static_cast<float>(how.top)) /
               (high - minimum));
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        for (int i = 0; i < n; ++i) {
            const auto l = static_cast<float>(tried[i]);
            sum_l += weights[i] * l;
            sum_l2 += weights[i] * l * l;
            sum_xl += weights[i] * l * x[i];
        }
        const float determinant = sum_w * sum_l2 - sum_l * sum_l;
        if (!(determinant > 0)) continue;
        float this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
        float this_minimum = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
        if (this_minimum > 0) {
            this_minimum = 0;
            this_scale = sum_xl / sum_l2;
        }
        const float this_error = error(this_scale, this_minimum);
        if (this_error < best) {
            best = this_error;
            scale = this_scale;
            minimum = this_minimum;
            std::copy_n(tried, n, levels);
        }
    }
    return {scale, -minimum};
}

}  // namespace tinyllm
