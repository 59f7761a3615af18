// The same model and type on several boards.
#include <fmt/format.h>

#include <algorithm>

#include "tools/study/chart_parts.h"
#include "tools/study/charts.h"

namespace tinyllm::study {
namespace {

std::string board_class(std::size_t board) {
    return fmt::format("t{}", board % 6);
}

}  // namespace

std::string board_chart(const Summary& summary, eval::Protocol protocol, Cost cost) {
    struct Line {
        double y;
        std::string model, type;
        std::vector<std::pair<std::size_t, double>> values;  // board, cost
    };
    std::vector<Line> lines;
    std::vector<std::pair<double, std::string>> headings;
    double y = 6, low = 1e300, high = 0;
    for (const std::string& model : summary.models) {
        bool headed = false;
        for (const std::string& type : summary.types) {
            Line line{0, model, type, {}};
            for (std::size_t b = 0; b < summary.boards.size(); ++b) {
                const Entry* e = summary.find(protocol, model, type, summary.boards[b]);
                const auto value = e ? cost_of(*e, cost) : std::nullopt;
                if (!value || *value <= 0) continue;
                line.values.emplace_back(b, *value);
                low = std::min(low, *value);
                high = std::max(high, *value);
            }
            if (line.values.empty()) continue;
            if (!headed) headings.emplace_back(y + 12, model), y += 18;
            headed = true;
            line.y = y + 8;
            y += 16;
            lines.push_back(std::move(line));
        }
        if (headed) y += 6;
    }
    if (lines.empty()) return "";
    const double left = 66, right = kChartWidth - 20;
    Svg svg(kChartWidth, y + 40, "Boards compared by " + cost_words(cost),
            "A row per model and type, a mark per board. The table below has the figures.");
    const Axis axis = Axis::logarithmic(low, high, left, right);
    vertical_grid(svg, axis, 4, y, show_number);
    svg.text((left + right) / 2, y + 34, cost_words(cost) + " (logarithmic)", "axis", "middle");
    for (const auto& [at, model] : headings) svg.text(8, at, shortened(model, 40), "heading");
    for (const Line& line : lines) {
        svg.text(left - 8, line.y + 4, shortened(line.type, 8), "label", "end");
        const auto [least, most] =
            std::minmax_element(line.values.begin(), line.values.end(),
                                [](const auto& a, const auto& b) { return a.second < b.second; });
        svg.line(axis.at(least->second), line.y, axis.at(most->second), line.y, "rule");
        for (const auto& [board, value] : line.values)
            svg.mark(axis.at(value), line.y, static_cast<int>(board), 4.5, "mark " + board_class(board),
                     fmt::format("{} {} on {}: {:.3g}", line.model, line.type, summary.boards[board], value));
    }
    return svg.str();
}

std::string board_legend(const Summary& summary) {
    std::string text = "<ul class=\"legend\">";
    for (std::size_t b = 0; b < summary.boards.size(); ++b) {
        Svg svg(14, 14, "", "");
        svg.mark(7, 7, static_cast<int>(b), 4.6, "mark " + board_class(b));
        text += fmt::format("<li>{}{}</li>", svg.str(), escape_html(summary.boards[b]));
    }
    return text + "</ul>\n";
}

}  // namespace tinyllm::study
