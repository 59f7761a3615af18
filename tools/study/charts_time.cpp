// Power, heat and clocks over time: a panel each, one above the other on a common axis of seconds at work.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/monitor/usage.h"
#include "tools/study/chart_parts.h"
#include "tools/study/charts.h"

namespace tinyllm::study {
namespace {

constexpr std::size_t kMostMoments = 200;

struct Moment {
    double t = 0;
    std::optional<double> watts, celsius, megahertz;
    bool throttled = false;
};

// A process: one model at one type, from its start.
struct Stretch {
    std::string model, type, board, started;
    std::vector<Moment> moments;
    std::optional<double> idle_watts;

    double end() const { return moments.back().t; }
};

std::optional<double> at(const Json& series, const char* key, std::size_t i) {
    const auto found = series.find(key);
    if (found == series.end() || !found->is_array() || i >= found->size() || !(*found)[i].is_number())
        return {};
    return (*found)[i].get<double>();
}

void add_moments(Stretch& stretch, const CellFigures& cell) {
    const Json& series = cell.series;
    const std::size_t n = series.at("t").size();
    for (std::size_t i = 0; i < n; ++i) {
        const auto t = at(series, "t", i);
        if (!t) continue;
        Moment moment{*t, at(series, "power_W", i), at(series, "temp_C", i), at(series, "cpu_MHz", i),
                      at(series, "throttled", i).value_or(0) > 0};
        // Where the GPU does the work, its clock is the one to watch.
        if (cell.load.is_object() && cell.load.value("backend", "").rfind("cuda", 0) == 0)
            if (const auto gpu = at(series, "gpu_MHz", i)) moment.megahertz = gpu;
        stretch.moments.push_back(moment);
    }
    if (const auto idle = monitor::measured(cell.usage, "idle_W")) stretch.idle_watts = idle;
}

void thin(std::vector<Moment>& moments, std::size_t most) {
    while (moments.size() > most) {
        std::vector<Moment> fewer;
        for (std::size_t i = 0; i < moments.size(); i += 2) {
            Moment m = moments[i];
            if (i + 1 < moments.size()) {
                const Moment& next = moments[i + 1];
                m.t = (m.t + next.t) / 2;
                if (m.watts && next.watts) m.watts = (*m.watts + *next.watts) / 2;
                if (next.celsius) m.celsius = std::max(m.celsius.value_or(*next.celsius), *next.celsius);
                if (next.megahertz) m.megahertz = std::max(m.megahertz.value_or(0), *next.megahertz);
                m.throttled = m.throttled || next.throttled;
            }
            fewer.push_back(m);
        }
        moments = std::move(fewer);
    }
}

std::vector<Stretch> stretches_of(const Summary& summary, const std::string& model, std::size_t most) {
    std::vector<Stretch> all;
    for (const CellFigures& cell : summary.cells) {
        if ((!model.empty() && cell.model != model) || !cell.series.is_object()) continue;
        if (!cell.series.contains("t") || !cell.series.at("t").is_array()) continue;
        const std::string started = cell.series.value("started", "");
        auto same = std::find_if(all.begin(), all.end(), [&](const Stretch& s) {
            return s.model == cell.model && s.type == cell.type && s.board == cell.board &&
                   s.started == started;
        });
        if (same == all.end())
            same =
                all.insert(all.end(), Stretch{cell.model, cell.type, cell.board, started, {}, std::nullopt});
        add_moments(*same, cell);
    }
    std::erase_if(all, [](const Stretch& s) { return s.moments.empty(); });
    for (Stretch& s : all) {
        std::stable_sort(s.moments.begin(), s.moments.end(),
                         [](const Moment& a, const Moment& b) { return a.t < b.t; });
        thin(s.moments, most);
    }
    const auto place = [&](const std::string& board) {
        return std::find(summary.boards.begin(), summary.boards.end(), board);
    };
    std::stable_sort(all.begin(), all.end(), [&](const Stretch& a, const Stretch& b) {
        return std::pair(place(a.board), a.started) < std::pair(place(b.board), b.started);
    });
    return all;
}

struct Panel {
    std::string words;
    std::optional<double> Moment::*value;
};

const Panel kPanels[] = {{"power, W", &Moment::watts},
                         {"hottest sensor, °C", &Moment::celsius},
                         {"clock, MHz", &Moment::megahertz}};

// `from[i]` is where stretch i begins on the axis of seconds.
std::string panels_chart(const Summary& summary, const std::vector<Stretch>& all,
                         const std::vector<double>& from, const std::string& title,
                         const std::string& description, double width, bool separators) {
    double end = 0;
    for (std::size_t i = 0; i < all.size(); ++i) end = std::max(end, from[i] + all[i].end());
    std::vector<const Panel*> panels;
    for (const Panel& panel : kPanels)
        if (std::any_of(all.begin(), all.end(), [&](const Stretch& s) {
                return std::any_of(s.moments.begin(), s.moments.end(),
                                   [&](const Moment& m) { return (m.*panel.value).has_value(); });
            }))
            panels.push_back(&panel);
    if (panels.empty() || end <= 0) return "";
    const double height = 84, gap = 26, left = 46, right = width - 14, first = 22;
    const double bottom = first + static_cast<double>(panels.size()) * (height + gap) - gap;
    const bool minutes = end > 300;
    const double unit = minutes ? 60 : 1;
    Svg svg(width, bottom + 40, title, description);
    const Axis x = Axis::linear(0, end / unit, left, right, width > 600 ? 8 : 5);
    svg.text((left + right) / 2, bottom + 34, minutes ? "minutes at work" : "seconds at work", "axis",
             "middle");
    for (std::size_t p = 0; p < panels.size(); ++p) {
        const double top = first + static_cast<double>(p) * (height + gap), low = top + height;
        double least = 1e300, most = -1e300;
        for (const Stretch& s : all) {
            for (const Moment& m : s.moments)
                if (const auto v = m.*panels[p]->value)
                    least = std::min(least, *v), most = std::max(most, *v);
            if (p == 0 && panels[p]->value == &Moment::watts && s.idle_watts)
                least = std::min(least, *s.idle_watts), most = std::max(most, *s.idle_watts);
        }
        const double room = std::max((most - least) * 0.1, 0.02 * std::abs(most) + 1e-3);
        const Axis y = Axis::linear(std::max(0.0, least - room), most + room, low, top, 3);
        for (double tick : x.ticks()) {
            svg.line(x.at(tick), top, x.at(tick), low, "grid");
            if (p + 1 == panels.size()) svg.text(x.at(tick), low + 16, show_number(tick), "tick", "middle");
        }
        horizontal_grid(svg, y, left, right, show_number);
        svg.text(left, top - 8, panels[p]->words, "axis");
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Stretch& s = all[i];
            const std::string style = type_class(summary, s.type);
            if (separators && i > 0 && (s.model != all[i - 1].model || s.board != all[i - 1].board))
                svg.line(x.at(from[i] / unit), top, x.at(from[i] / unit), low, "chance");
            if (panels[p]->value == &Moment::watts && s.idle_watts)
                svg.line(x.at(from[i] / unit), y.at(*s.idle_watts), x.at((from[i] + s.end()) / unit),
                         y.at(*s.idle_watts), "idle " + style);
            std::vector<std::pair<double, double>> line;
            const auto draw = [&] {
                if (line.size() == 1) line.emplace_back(line[0].first + 0.8, line[0].second);
                if (!line.empty()) svg.polyline(line, "trace " + style, s.model + " " + s.type);
                line.clear();
            };
            for (const Moment& m : s.moments) {
                if (const auto v = m.*panels[p]->value) {
                    line.emplace_back(x.at((from[i] + m.t) / unit), y.at(*v));
                } else {
                    draw();
                }
                if (m.throttled && panels[p]->value == &Moment::celsius)
                    svg.rect(x.at((from[i] + m.t) / unit) - 1, low - 4, 2, 4, "held");
            }
            draw();
        }
    }
    return svg.str();
}

}  // namespace

std::string power_chart(const Summary& summary) {
    std::vector<Stretch> all = stretches_of(summary, "", kMostMoments);
    std::size_t moments = 0;
    for (const Stretch& s : all) moments += s.moments.size();
    // As many as there are places to draw them.
    constexpr std::size_t kPlaces = 1200;
    if (moments > kPlaces)
        for (Stretch& s : all) thin(s.moments, std::max<std::size_t>(kPlaces / all.size(), 4));
    std::vector<double> from;
    double end = 0;
    for (const Stretch& s : all) {
        from.push_back(end);
        end += s.end();
    }
    return panels_chart(
        summary, all, from, "Power, temperature and clock of the whole study",
        "Process behind process, loading left out of the lines; dashed lines upright: the next model; "
        "dashed lines across: power at rest. Colours are weight types.",
        920, true);
}

std::string model_power_chart(const Summary& summary, const std::string& model) {
    // Many models share the page's room.
    const std::size_t most =
        std::clamp<std::size_t>(1000 / std::max<std::size_t>(summary.models.size(), 1), 40, kMostMoments);
    const std::vector<Stretch> all = stretches_of(summary, model, most);
    return panels_chart(summary, all, std::vector<double>(all.size(), 0.0),
                        "Power, temperature and clock of " + model,
                        "One line per weight type, from the start of its process; dashed: power at rest.",
                        kChartWidth, false);
}

}  // namespace tinyllm::study
