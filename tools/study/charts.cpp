#include "tools/study/charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/study/chart_parts.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

std::size_t place(const std::vector<std::string>& all, const std::string& one) {
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), one) - all.begin());
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

bool shapes_tell_models(const Summary& summary) {
    return summary.models.size() <= 4;
}

int model_shape(const Summary& summary, const std::string& model) {
    return shapes_tell_models(summary) ? static_cast<int>(place(summary.models, model)) : 0;
}

std::string accuracy_chart(const Summary& summary, eval::Protocol protocol, const std::string& model) {
    const double left = 106, right = kChartWidth - 14;
    const double step = 11;
    const double row = step * static_cast<double>(summary.types.size()) + 14;
    const double bottom = 4 + row * static_cast<double>(summary.tasks.size());
    Svg svg(kChartWidth, bottom + 40, "Accuracy of " + model + " per task",
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
            const std::string tip =
                fmt::format("{} {} {}: {} of {} right, {} ({} to {})", model, cell.type, cell.title, hits, n,
                            percent(cell.figures.acc.value), percent(interval.low), percent(interval.high));
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
    const double left = 66, right = kChartWidth - 84;
    const bool is_log = low > 0 && high / low > 12;
    const Axis axis =
        is_log ? Axis::logarithmic(low, high, left, right) : Axis::linear(0, high, left, right, 4);
    Svg svg(kChartWidth, rows.bottom + 40, "Latency per question",
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
    svg.text(right + 8, 12, "p50 / p95", "tick");
    return svg.str();
}

std::string memory_chart(const Summary& summary, eval::Protocol protocol) {
    const Rows rows =
        entry_rows(summary, protocol, 30, [](const Entry& e) { return e.weight_bytes.has_value(); });
    if (rows.entries.empty()) return "";
    double high = 0;
    for (const auto& [y, entry] : rows.entries)
        high = std::max({high, megabytes(*entry->weight_bytes), megabytes(entry->peak_bytes.value_or(0))});
    const double left = 66, right = kChartWidth - 60;
    const Axis axis = Axis::linear(0, high, left, right, 4);
    Svg svg(kChartWidth, rows.bottom + 40, "Memory and size",
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

std::string share_bar(const CellFigures& cell) {
    std::string ends;
    double share = 0;
    for (std::size_t i = 0; i + 1 < std::min<std::size_t>(cell.figures.predicted.size(), 4); ++i) {
        share += cell.figures.predicted[i];
        ends +=
            fmt::format("{}--{}:{:.0f}%", ends.empty() ? "" : ";", static_cast<char>('a' + i), 100 * share);
    }
    return "<i style=\"" + ends + "\"></i>";
}

std::string legend(const Summary& summary, bool models) {
    std::string text = "<ul class=\"legend\">";
    auto item = [&](int shape, const std::string& style, const std::string& name) {
        Svg svg(14, 14, "", "");
        svg.mark(7, 7, shape, 4.6, style);
        text += fmt::format("<li>{}{}</li>", svg.str(), escape_html(name));
    };
    for (const std::string& type : summary.types) item(0, "mark " + type_class(summary, type), type);
    if (models && shapes_tell_models(summary))
        for (const std::string& model : summary.models) item(model_shape(summary, model), "hollow", model);
    return text + "</ul>\n";
}

}  // namespace tinyllm::study
