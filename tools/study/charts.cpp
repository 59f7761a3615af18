#include "tools/study/charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/eval/text.h"
#include "tools/study/svg.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

constexpr double kWidth = 440;

std::size_t place(const std::vector<std::string>& all, const std::string& one) {
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), one) - all.begin());
}

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

void vertical_grid(Svg& svg, const Axis& axis, double top, double bottom,
                   const std::function<std::string(double)>& show) {
    for (double tick : axis.ticks()) {
        svg.line(axis.at(tick), top, axis.at(tick), bottom, "grid");
        svg.text(axis.at(tick), bottom + 16, show(tick), "tick", "middle");
    }
}

// Rows of a chart with one row per model and type, the model's name above its types.
struct Rows {
    std::vector<std::pair<double, const Entry*>> entries;
    std::vector<std::pair<double, std::string>> headings;
    double bottom = 0;
};

Rows entry_rows(const Summary& summary, eval::Protocol protocol, double row,
                const std::function<bool(const Entry&)>& shown) {
    Rows rows;
    double y = 6;
    for (const std::string& model : summary.models) {
        std::vector<const Entry*> some;
        for (const Entry* entry : summary.of(protocol))
            if (entry->model == model && shown(*entry)) some.push_back(entry);
        if (some.empty()) continue;
        rows.headings.emplace_back(y + 12, model);
        y += 18;
        for (const Entry* entry : some) {
            rows.entries.emplace_back(y + row / 2, entry);
            y += row;
        }
        y += 6;
    }
    rows.bottom = y;
    return rows;
}

}  // namespace

std::string type_class(const Summary& summary, const std::string& type) {
    return fmt::format("t{}", place(summary.types, type) % 6);
}

int model_shape(const Summary& summary, const std::string& model) {
    return static_cast<int>(place(summary.models, model));
}

std::string accuracy_chart(const Summary& summary, eval::Protocol protocol, const std::string& model) {
    const double left = 106, right = kWidth - 14;
    const double step = 11;
    const double row = step * static_cast<double>(summary.types.size()) + 14;
    const double bottom = 4 + row * static_cast<double>(summary.tasks.size());
    Svg svg(kWidth, bottom + 40, "Accuracy of " + model + " per task",
            "One mark per type with its 95 % interval; dashed: chance; dotted: the best constant answer. The "
            "table has all figures.");
    const Axis axis = Axis::linear(0, 1, left, right);
    vertical_grid(svg, axis, 4, bottom, [](double v) { return fmt::format("{:.0f}", 100 * v); });
    svg.text((left + right) / 2, bottom + 34, "accuracy, %", "axis", "middle");
    for (std::size_t t = 0; t < summary.tasks.size(); ++t) {
        const double top = 4 + row * static_cast<double>(t);
        svg.text(left - 10, top + row / 2 + 4, shortened(summary.titles[t], 14), "label", "end");
        if (t > 0) svg.line(10, top, right, top, "rule");
        const CellFigures* any = summary.any(protocol, summary.tasks[t]);
        if (any) {
            const double constant = axis.at(any->figures.constant), chance = axis.at(any->figures.chance);
            svg.line(chance, top + 3, chance, top + row - 3, "chance");
            svg.line(constant, top + 3, constant, top + row - 3, "constant");
        }
        for (std::size_t k = 0; k < summary.types.size(); ++k) {
            const double y = top + 7 + step * (static_cast<double>(k) + 0.5);
            const Entry* entry = summary.find(protocol, model, summary.types[k]);
            if (!entry || t >= entry->cells.size()) continue;
            const CellFigures& cell = *entry->cells[t];
            if (!cell.ok()) {
                svg.text(left + 4, y + 4, summary.types[k] + ": " + cell.status, "tick");
                continue;
            }
            const auto n = cell.figures.n;
            const auto hits = static_cast<std::size_t>(cell.figures.acc.value * static_cast<double>(n) + 0.5);
            const eval::Interval interval = eval::wilson(hits, n);
            const std::string style = type_class(summary, cell.type);
            const std::string tip = fmt::format(
                "{} {} {}: {} of {} right, {} (95 % interval {} to {})", model, cell.type, cell.title, hits,
                n, percent(cell.figures.acc.value), percent(interval.low), percent(interval.high));
            svg.line(axis.at(interval.low), y, axis.at(interval.high), y, "whisker " + style);
            svg.mark(axis.at(cell.figures.acc.value), y, model_shape(summary, model), 4, "mark " + style,
                     tip);
        }
    }
    return svg.str();
}

std::string latency_chart(const Summary& summary, eval::Protocol protocol) {
    const Rows rows = entry_rows(summary, protocol, 22, [](const Entry& e) { return e.latency.has_value(); });
    if (rows.entries.empty()) return "";
    double low = 1e300, high = 0;
    for (const auto& [y, entry] : rows.entries) {
        low = std::min(low, eval::percentile(entry->ms, 0.05));
        high = std::max(high, eval::percentile(entry->ms, 0.95));
    }
    const double left = 66, right = kWidth - 76;
    const bool is_log = low > 0 && high / low > 12;
    const Axis axis =
        is_log ? Axis::logarithmic(low, high, left, right) : Axis::linear(0, high, left, right, 4);
    Svg svg(kWidth, rows.bottom + 40, "Latency per question",
            "Box: middle half of the questions; line in it: median; whiskers: 5th to 95th percentile.");
    vertical_grid(svg, axis, 4, rows.bottom, show_number);
    svg.text((left + right) / 2, rows.bottom + 34,
             is_log ? "ms per question (logarithmic)" : "ms per question", "axis", "middle");
    for (const auto& [y, model] : rows.headings) svg.text(8, y, shortened(model, 40), "heading");
    for (const auto& [y, entry] : rows.entries) {
        const std::string style = type_class(summary, entry->type);
        auto at = [&, e = entry](double p) { return axis.at(eval::percentile(e->ms, p)); };
        const std::string tip =
            fmt::format("{}: p5 {:.3g}, p25 {:.3g}, p50 {:.3g}, p75 {:.3g}, p95 {:.3g} ms", entry->name(),
                        eval::percentile(entry->ms, 0.05), eval::percentile(entry->ms, 0.25),
                        entry->latency->p50, eval::percentile(entry->ms, 0.75), entry->latency->p95);
        svg.text(left - 8, y + 4, shortened(entry->type, 8), "label", "end");
        svg.line(at(0.05), y, at(0.95), y, "whisker " + style);
        for (double p : {0.05, 0.95}) svg.line(at(p), y - 4, at(p), y + 4, "whisker " + style);
        svg.rect(at(0.25), y - 6, at(0.75) - at(0.25), 12, "box " + style, tip);
        svg.line(at(0.5), y - 6, at(0.5), y + 6, "median");
        svg.text(right + 8, y + 4, fmt::format("{:.3g} / {:.3g}", entry->latency->p50, entry->latency->p95),
                 "value");
    }
    svg.text(right + 8, rows.bottom + 16, "p50 / p95", "tick");
    return svg.str();
}

std::string memory_chart(const Summary& summary, eval::Protocol protocol) {
    const Rows rows =
        entry_rows(summary, protocol, 30, [](const Entry& e) { return e.weight_bytes.has_value(); });
    if (rows.entries.empty()) return "";
    double high = 0;
    for (const auto& [y, entry] : rows.entries)
        high = std::max({high, megabytes(*entry->weight_bytes), megabytes(entry->peak_bytes.value_or(0))});
    const double left = 66, right = kWidth - 60;
    const Axis axis = Axis::linear(0, high, left, right, 4);
    Svg svg(kWidth, rows.bottom + 40, "Memory and size",
            "Full bar: bytes of the weights; light bar: peak resident memory of the process.");
    vertical_grid(svg, axis, 4, rows.bottom, show_number);
    svg.text((left + right) / 2, rows.bottom + 34, "MiB", "axis", "middle");
    for (const auto& [y, model] : rows.headings) svg.text(8, y, shortened(model, 40), "heading");
    for (const auto& [y, entry] : rows.entries) {
        const std::string style = type_class(summary, entry->type);
        const double weights = megabytes(*entry->weight_bytes);
        svg.text(left - 8, y + 4, shortened(entry->type, 8), "label", "end");
        svg.rect(left, y - 11, axis.at(weights) - left, 10, "bar " + style,
                 fmt::format("{}: weights {:.2f} MiB", entry->name(), weights));
        svg.text(axis.at(weights) + 5, y - 3, show_number(weights), "value");
        if (!entry->peak_bytes) continue;
        const double peak = megabytes(*entry->peak_bytes);
        svg.rect(left, y + 1, axis.at(peak) - left, 10, "soft " + style,
                 fmt::format("{}: peak {:.1f} MiB", entry->name(), peak));
        svg.text(axis.at(peak) + 5, y + 10, show_number(peak), "value");
    }
    return svg.str();
}

std::string front_chart(const Summary& summary, eval::Protocol protocol, Cost cost) {
    auto value = [cost](const Entry& e) -> std::optional<double> {
        if (cost == Cost::latency) return e.latency ? std::optional(e.latency->p50) : std::nullopt;
        return e.weight_bytes ? std::optional(megabytes(*e.weight_bytes)) : std::nullopt;
    };
    std::vector<const Entry*> entries;
    for (const Entry* entry : summary.of(protocol))
        if (entry->average && value(*entry) && *value(*entry) > 0) entries.push_back(entry);
    if (entries.empty()) return "";
    double low_x = 1e300, high_x = 0, low_y = 1, high_y = 0;
    for (const Entry* e : entries) {
        const double error = e->average->stderr_.value_or(0);
        low_x = std::min(low_x, *value(*e));
        high_x = std::max(high_x, *value(*e));
        low_y = std::min(low_y, e->average->value - error);
        high_y = std::max(high_y, e->average->value + error);
    }
    double chance = 0;
    std::size_t counted = 0;
    for (const std::string& task : summary.tasks)
        if (const CellFigures* any = summary.any(protocol, task)) {
            chance += any->figures.chance;
            ++counted;
        }
    if (counted) chance /= static_cast<double>(counted);
    const bool show_chance = counted && low_y - chance < 2.5 * std::max(high_y - low_y, 0.02);
    if (show_chance) low_y = std::min(low_y, chance), high_y = std::max(high_y, chance);
    const double left = 46, right = kWidth - 16, top = 10, bottom = 250;
    const Axis x = Axis::logarithmic(low_x, high_x, left, right);
    const Axis y = Axis::linear(std::max(0.0, low_y), std::min(1.0, high_y), bottom, top, 5);
    const std::string what = cost == Cost::latency ? "median ms per question" : "weights, MiB";
    Svg svg(kWidth, bottom + 42, "Average accuracy against " + what,
            "Up and to the left is better. The line joins those that no other beats in both. Bars: one "
            "standard error.");
    vertical_grid(svg, x, top, bottom, show_number);
    for (double tick : y.ticks()) {
        svg.line(left, y.at(tick), right, y.at(tick), "grid");
        svg.text(left - 6, y.at(tick) + 4, fmt::format("{:.3g}", 100 * tick), "tick", "end");
    }
    svg.text((left + right) / 2, bottom + 36, what + " (logarithmic)", "axis", "middle");
    svg.text(left + 4, top + 10, "average accuracy, %", "axis");
    if (show_chance) {
        svg.line(left, y.at(chance), right, y.at(chance), "chance");
        svg.text(left + 4, y.at(chance) + 12, "chance", "tick");
    }
    std::vector<std::pair<double, double>> steps;
    for (const Entry* e : front(entries, value)) {
        const std::pair point{x.at(*value(*e)), y.at(e->average->value)};
        if (!steps.empty()) steps.emplace_back(point.first, steps.back().second);
        steps.push_back(point);
    }
    if (!steps.empty()) steps.emplace_back(right, steps.back().second);
    svg.polyline(steps, "front");
    for (const Entry* e : entries) {
        const std::string style = type_class(summary, e->type);
        const double error = e->average->stderr_.value_or(0);
        const double px = x.at(*value(*e));
        svg.line(px, y.at(e->average->value - error), px, y.at(e->average->value + error),
                 "whisker thin " + style);
        svg.mark(px, y.at(e->average->value), model_shape(summary, e->model), 5.5, "mark " + style,
                 fmt::format("{}: {} at {:.3g} {}", e->name(), percent(e->average->value), *value(*e),
                             cost == Cost::latency ? "ms" : "MiB"));
    }
    return svg.str();
}

std::string share_bar(const CellFigures& cell) {
    const double width = 84;
    Svg svg(width, 10, "Predicted letters", "");
    double x = 0;
    for (std::size_t i = 0; i < cell.figures.predicted.size(); ++i) {
        const double share = cell.figures.predicted[i];
        if (share <= 0) continue;
        svg.rect(x, 0, share * width, 10, fmt::format("l{}", i),
                 fmt::format("{}: {:.1f} %", static_cast<char>('A' + i), 100 * share));
        x += share * width;
    }
    return svg.str();
}

std::string legend(const Summary& summary, bool models) {
    std::string text = "<ul class=\"legend\">";
    auto item = [&](int shape, const std::string& style, const std::string& name) {
        Svg svg(14, 14, name, "");
        svg.mark(7, 7, shape, 4.6, style);
        text += fmt::format("<li>{}{}</li>", svg.str(), escape_html(name));
    };
    for (const std::string& type : summary.types) item(0, "mark " + type_class(summary, type), type);
    if (models)
        for (const std::string& model : summary.models) item(model_shape(summary, model), "hollow", model);
    return text + "</ul>\n";
}

}  // namespace tinyllm::study
