// Accuracy against what it costs, and against the bits of a weight.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/eval/text.h"
#include "tools/study/chart_parts.h"
#include "tools/study/charts.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

constexpr double kPlotTop = 10, kPlotBottom = 250;
constexpr double kFrontWidth = 350;  // three beside each other

struct Range {
    double low = 1e300, high = -1e300;
    void add(double value) { low = std::min(low, value), high = std::max(high, value); }
    bool empty() const { return high < low; }
};

std::string whole_percent(double share) {
    return fmt::format("{:.3g}", 100 * share);
}

// Chance on average over the tasks; nothing without a figure.
std::optional<double> average_chance(const Summary& summary, eval::Protocol protocol) {
    double chance = 0;
    std::size_t counted = 0;
    for (const std::string& task : summary.tasks)
        if (const CellFigures* any = summary.any(protocol, task)) {
            chance += any->figures.chance;
            ++counted;
        }
    return counted ? std::optional(chance / static_cast<double>(counted)) : std::nullopt;
}

// One line of a chart over bits per weight.
struct Curve {
    std::string name, style;
    int shape = 0;
    struct Point {
        double bits, value;
        const Entry* entry;
    };
    std::vector<Point> points;
    void sort() {
        std::stable_sort(points.begin(), points.end(),
                         [](const Point& a, const Point& b) { return a.bits < b.bits; });
    }
};

std::string curves_chart(const Summary& summary, const std::vector<Curve>& curves, Svg (*make)(double),
                         const std::string& y_words, bool name_lines) {
    Range xs, ys;
    std::size_t longest = 0;
    for (const Curve& curve : curves) {
        longest = std::max(longest, std::min<std::size_t>(eval::code_points(curve.name), 16));
        for (const Curve::Point& point : curve.points) {
            xs.add(point.bits);
            ys.add(point.value);
        }
    }
    if (xs.empty()) return "";
    if (ys.high - ys.low < 0.02) ys.add(ys.low - 0.01), ys.add(ys.high + 0.01);
    Svg svg = make(kPlotBottom + 42);
    const double left = 46, right = kChartWidth - (name_lines ? 18 + 6.8 * static_cast<double>(longest) : 16);
    const Axis x = Axis::logarithmic(xs.low, xs.high, left, right);
    const Axis y = Axis::linear(std::max(0.0, ys.low), ys.high, kPlotBottom, kPlotTop + 14, 5);
    for (double tick : {2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0}) {
        const double at = x.at(tick);
        if (at < left || at > right) continue;
        svg.line(at, kPlotTop + 14, at, kPlotBottom, "grid");
        svg.text(at, kPlotBottom + 16, show_number(tick), "tick", "middle");
    }
    horizontal_grid(svg, y, left, right, whole_percent);
    svg.text((left + right) / 2, kPlotBottom + 36, "bits per weight (logarithmic)", "axis", "middle");
    svg.text(left, kPlotTop + 4, y_words, "axis");
    std::vector<double> ends;
    for (const Curve& curve : curves) {
        std::vector<std::pair<double, double>> line;
        for (const Curve::Point& point : curve.points) line.emplace_back(x.at(point.bits), y.at(point.value));
        svg.polyline(line, "curve " + curve.style, curve.name);
        ends.push_back(line.empty() ? kPlotBottom : line.back().second);
    }
    for (const Curve& curve : curves)
        for (const Curve::Point& point : curve.points)
            svg.mark(
                x.at(point.bits), y.at(point.value), curve.shape, 4,
                "mark " + type_class(summary, point.entry->type),
                fmt::format("{}{}: {}", point.entry->name(),
                            curve.name == point.entry->model ? "" : ", " + curve.name, percent(point.value)));
    if (name_lines) {
        const std::vector<double> heights = spread(ends, 13, kPlotTop + 18, kPlotBottom);
        for (std::size_t i = 0; i < curves.size(); ++i)
            svg.text(right + 10, heights[i] + 4, shortened(curves[i].name, 16), "tick " + curves[i].style);
    }
    return svg.str();
}

std::optional<double> bits_of(const Entry& entry) {
    const auto ratio = entry.ratio_fp32();
    return ratio ? std::optional(32 * *ratio) : std::nullopt;
}

// Those whose bits per weight are known; of several boards the first that has the type.
std::vector<const Entry*> types_of(const Summary& summary, eval::Protocol protocol,
                                   const std::string& model) {
    std::vector<const Entry*> entries;
    for (const std::string& type : summary.types)
        if (const Entry* e = summary.find(protocol, model, type); e && bits_of(*e)) entries.push_back(e);
    return entries;
}

}  // namespace

std::optional<double> cost_of(const Entry& entry, Cost cost) {
    switch (cost) {
        case Cost::latency:
            return entry.latency ? std::optional(entry.latency->p50) : std::nullopt;
        case Cost::size:
            return entry.weight_bytes ? std::optional(megabytes(*entry.weight_bytes)) : std::nullopt;
        case Cost::energy:
            break;
    }
    return entry.joules_per_question;
}

std::string cost_words(Cost cost) {
    switch (cost) {
        case Cost::latency:
            return "median ms per question";
        case Cost::size:
            return "weights, MiB";
        case Cost::energy:
            break;
    }
    return "J per question";
}

std::string front_chart(const Summary& summary, eval::Protocol protocol, Cost cost) {
    const auto value = [cost](const Entry& e) { return cost_of(e, cost); };
    std::vector<const Entry*> entries;
    Range xs, ys;
    for (const Entry* e : summary.of(protocol)) {
        if (!e->average || !value(*e) || *value(*e) <= 0) continue;
        entries.push_back(e);
        const double error = e->average->stderr_.value_or(0);
        xs.add(*value(*e));
        ys.add(e->average->value - error);
        ys.add(e->average->value + error);
    }
    if (entries.empty()) return "";
    const auto chance = average_chance(summary, protocol);
    const bool show_chance = chance && ys.low - *chance < 2.5 * std::max(ys.high - ys.low, 0.02);
    if (show_chance) ys.add(*chance);
    const double left = 46, right = kFrontWidth - 16, top = kPlotTop + 14, bottom = kPlotBottom;
    const Axis x = Axis::logarithmic(xs.low, xs.high, left, right);
    const Axis y = Axis::linear(std::max(0.0, ys.low), std::min(1.0, ys.high), bottom, top, 5);
    Svg svg(kFrontWidth, bottom + 42, "Average accuracy against " + cost_words(cost),
            "Up and to the left is better. The line joins those that no other beats in both. Bars: one "
            "standard error.");
    vertical_grid(svg, x, top, bottom, show_number);
    horizontal_grid(svg, y, left, right, whole_percent);
    svg.text((left + right) / 2, bottom + 36, cost_words(cost) + " (logarithmic)", "axis", "middle");
    svg.text(left, kPlotTop + 4, "average accuracy, %", "axis");
    if (show_chance) {
        svg.line(left, y.at(*chance), right, y.at(*chance), "chance");
        svg.text(left + 4, y.at(*chance) + 12, "chance", "tick");
    }
    const std::vector<const Entry*> best = front(entries, value);
    std::vector<std::pair<double, double>> steps;
    for (const Entry* e : best) {
        const std::pair point{x.at(*value(*e)), y.at(e->average->value)};
        if (!steps.empty()) steps.emplace_back(point.first, steps.back().second);
        steps.push_back(point);
    }
    steps.emplace_back(right, steps.back().second);
    svg.polyline(steps, "front");
    Labels labels(left, top, right, bottom);
    for (std::size_t i = 0; i + 1 < steps.size(); ++i)
        labels.block(steps[i].first - 2, std::min(steps[i].second, steps[i + 1].second) - 2,
                     steps[i + 1].first - steps[i].first + 4,
                     std::abs(steps[i].second - steps[i + 1].second) + 4);
    if (show_chance) labels.block(left, y.at(*chance) - 2, right - left, 4);
    for (const Entry* e : entries) {
        const std::string style = type_class(summary, e->type);
        const double error = e->average->stderr_.value_or(0);
        const double px = x.at(*value(*e)), py = y.at(e->average->value);
        svg.line(px, y.at(e->average->value - error), px, y.at(e->average->value + error),
                 "whisker thin " + style);
        svg.mark(px, py, model_shape(summary, e->model), 5, "mark " + style,
                 fmt::format("{}: {} at {:.3g} {}", e->name(), percent(e->average->value), *value(*e),
                             cost == Cost::latency ? "ms"
                             : cost == Cost::size  ? "MiB"
                                                   : "J"));
        labels.block(px - 5, py - 5, 10, 10);
        labels.block(px - 2, y.at(e->average->value + error), 4,
                     y.at(e->average->value - error) - y.at(e->average->value + error));
    }
    for (const Entry* e : best)
        labels.put(svg, x.at(*value(*e)), y.at(e->average->value), shortened(e->name(), 24));
    return svg.str();
}

std::string bits_chart(const Summary& summary, eval::Protocol protocol, bool kept) {
    std::vector<Curve> curves;
    bool any_step = false;
    for (const std::string& model : summary.models) {
        Curve curve{model, "", model_shape(summary, model), {}};
        for (const Entry* e : types_of(summary, protocol, model))
            if (e->average) curve.points.push_back({*bits_of(*e), e->average->value, e});
        curve.sort();
        any_step = any_step || curve.points.size() > 1;
        if (kept && !curve.points.empty()) {
            const double widest = curve.points.back().value;
            if (widest <= 0) continue;
            for (Curve::Point& point : curve.points) point.value /= widest;
        }
        if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    if (!any_step) return "";
    if (kept)
        return curves_chart(
            summary, curves,
            [](double height) {
                return Svg(kChartWidth, height, "Accuracy kept against bits per weight",
                           "One line per model: its average accuracy as a share of that at its widest type.");
            },
            "accuracy, % of that of the widest type", curves.size() <= 8);
    return curves_chart(
        summary, curves,
        [](double height) {
            return Svg(kChartWidth, height, "Average accuracy against bits per weight",
                       "One line per model, one mark per weight type. The table below has the figures.");
        },
        "average accuracy, %", curves.size() <= 8);
}

std::string model_bits_chart(const Summary& summary, eval::Protocol protocol, const std::string& model) {
    std::vector<Curve> curves;
    Curve average{"average", "strong", 0, {}};
    bool any_step = false;
    for (std::size_t t = 0; t < summary.tasks.size(); ++t) {
        Curve curve{summary.titles[t], "", 0, {}};
        for (const Entry* e : types_of(summary, protocol, model))
            if (t < e->cells.size() && e->cells[t]->ok())
                curve.points.push_back({*bits_of(*e), e->cells[t]->figures.acc.value, e});
        curve.sort();
        any_step = any_step || curve.points.size() > 1;
        if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    for (const Entry* e : types_of(summary, protocol, model))
        if (e->average) average.points.push_back({*bits_of(*e), e->average->value, e});
    average.sort();
    if (!any_step) return "";
    if (curves.size() > 1 && !average.points.empty()) curves.push_back(std::move(average));
    return curves_chart(
        summary, curves,
        [](double height) {
            return Svg(kChartWidth, height, "Accuracy per task against bits per weight",
                       "One line per task and a heavier one for their average, one mark per weight type.");
        },
        "accuracy, %", true);
}

}  // namespace tinyllm::study
