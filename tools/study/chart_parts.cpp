#include "tools/study/chart_parts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/eval/text.h"

namespace tinyllm::study {

std::string shortened(const std::string& text, std::size_t most) {
    if (eval::code_points(text) <= most) return text;
    std::string result;
    std::size_t count = 0;
    for (char c : text) {
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && ++count == most) break;
        result += c;
    }
    return result + "…";
}

double text_width(const std::string& text) {
    return 6.8 * static_cast<double>(eval::code_points(text));
}

void vertical_grid(Svg& svg, const Axis& axis, double top, double bottom,
                   const std::function<std::string(double)>& show) {
    for (double tick : axis.ticks()) {
        svg.line(axis.at(tick), top, axis.at(tick), bottom, "grid");
        svg.text(axis.at(tick), bottom + 16, show(tick), "tick", "middle");
    }
}

void horizontal_grid(Svg& svg, const Axis& axis, double left, double right,
                     const std::function<std::string(double)>& show) {
    for (double tick : axis.ticks()) {
        svg.line(left, axis.at(tick), right, axis.at(tick), "grid");
        svg.text(left - 6, axis.at(tick) + 4, show(tick), "tick", "end");
    }
}

void Labels::block(double x, double y, double width, double height) {
    taken_.push_back({x, y, width, height});
}

bool Labels::is_free(const Box& box) const {
    if (box.x < left_ || box.y < top_ || box.x + box.width > right_ || box.y + box.height > bottom_)
        return false;
    return std::none_of(taken_.begin(), taken_.end(), [&](const Box& other) {
        return box.x < other.x + other.width && other.x < box.x + box.width &&
               box.y < other.y + other.height && other.y < box.y + box.height;
    });
}

void Labels::put(Svg& svg, double x, double y, const std::string& text) {
    const double width = text_width(text), height = 13;
    for (const double far : {0.0, 14.0, 28.0}) {
        const double up = y - 9 - far - height, down = y + 9 + far, mid = y - height / 2;
        const Box places[] = {
            {x + 8 + far, mid, width, height},      {x - 8 - far - width, mid, width, height},
            {x - width / 2, up, width, height},     {x - width / 2, down, width, height},
            {x + 6, up + 3, width, height},         {x + 6, down - 3, width, height},
            {x - 6 - width, up + 3, width, height}, {x - 6 - width, down - 3, width, height}};
        for (const Box& box : places) {
            if (!is_free(box)) continue;
            svg.text(box.x, box.y + 10, text, "tick");
            taken_.push_back(box);
            return;
        }
    }
}

std::vector<double> spread(const std::vector<double>& wanted, double step, double top, double bottom) {
    std::vector<std::size_t> order(wanted.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
    std::vector<double> at = wanted;
    double free = top;
    for (std::size_t i : order) {
        at[i] = std::max(at[i], free);
        free = at[i] + step;
    }
    free = bottom;
    for (auto i = order.rbegin(); i != order.rend(); ++i) {
        at[*i] = std::min(at[*i], free);
        free = at[*i] - step;
    }
    return at;
}

}  // namespace tinyllm::study
