#include "tools/study/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tinyllm::study {
namespace {

std::string number(double value) {
    std::string text = fmt::format("{:.2f}", value);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? "0" : text;
}

std::string tip_element(std::string_view tip) {
    return tip.empty() ? std::string() : fmt::format("<title>{}</title>", escape_html(tip));
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string result;
    for (char c : text) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            case '\'':
                result += "&#39;";
                break;
            default:
                result += c;
        }
    }
    return result;
}

Svg::Svg(double width, double height, std::string title, std::string description)
    : width_(width), height_(height), title_(std::move(title)), description_(std::move(description)) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view style) {
    body_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>\n", number(x1),
                         number(y1), number(x2), number(y2), style);
}

void Svg::rect(double x, double y, double width, double height, std::string_view style,
               std::string_view tip) {
    body_ += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"1.5\" class=\"{}\">{}</rect>\n", number(x),
        number(y), number(std::max(width, 0.5)), number(height), style, tip_element(tip));
}

void Svg::text(double x, double y, std::string_view text, std::string_view style, std::string_view anchor) {
    body_ += fmt::format("<text x=\"{}\" y=\"{}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", number(x),
                         number(y), style, anchor, escape_html(text));
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, std::string_view style) {
    std::string list;
    for (const auto& [x, y] : points)
        list += fmt::format("{}{},{}", list.empty() ? "" : " ", number(x), number(y));
    body_ += fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", list, style);
}

void Svg::mark(double x, double y, int shape, double size, std::string_view style, std::string_view tip) {
    const double s = size;
    std::string path;
    switch (shape % 4) {
        case 0:
            path = fmt::format("M{} {}a{} {} 0 1 0 {} 0a{} {} 0 1 0 {} 0z", number(x - s), number(y), s, s,
                               2 * s, s, s, -2 * s);
            break;
        case 1:
            path = fmt::format("M{} {}h{}v{}h{}z", number(x - 0.88 * s), number(y - 0.88 * s), 1.76 * s,
                               1.76 * s, -1.76 * s);
            break;
        case 2:
            path =
                fmt::format("M{} {}l{} {}h{}z", number(x), number(y - 1.2 * s), 1.1 * s, 2.0 * s, -2.2 * s);
            break;
        default:
            path = fmt::format("M{} {}l{} {}l{} {}l{} {}z", number(x), number(y - 1.25 * s), 1.25 * s,
                               1.25 * s, -1.25 * s, 1.25 * s, -1.25 * s, -1.25 * s);
    }
    body_ += fmt::format("<path d=\"{}\" class=\"{}\">{}</path>\n", path, style, tip_element(tip));
}

std::string Svg::str() const {
    return fmt::format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" "
        "style=\"--w:{}px\"><title>{}</title><desc>{}</desc>\n{}</svg>\n",
        number(width_), number(height_), escape_html(title_), number(width_), escape_html(title_),
        escape_html(description_), body_);
}

Axis Axis::linear(double low, double high, double from, double to, int ticks) {
    Axis axis;
    if (!(high > low)) high = low + 1;
    const double rough = (high - low) / ticks;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = power;
    for (double factor : {1.0, 2.0, 5.0, 10.0})
        if (factor * power >= rough * 0.999) {
            step = factor * power;
            break;
        }
    axis.low_ = std::floor(low / step + 1e-9) * step;
    axis.high_ = std::ceil(high / step - 1e-9) * step;
    axis.from_ = from;
    axis.to_ = to;
    const int n = static_cast<int>(std::lround((axis.high_ - axis.low_) / step));
    for (int i = 0; i <= n; ++i) axis.ticks_.push_back(axis.low_ + i * step);
    return axis;
}

Axis Axis::logarithmic(double low, double high, double from, double to) {
    Axis axis;
    axis.log_ = true;
    axis.low_ = low / 1.15;
    axis.high_ = high * 1.15;
    axis.from_ = from;
    axis.to_ = to;
    std::vector<double> all;
    for (double power = std::pow(10.0, std::floor(std::log10(axis.low_))); power <= axis.high_; power *= 10)
        for (double factor : {1.0, 2.0, 5.0})
            if (factor * power >= axis.low_ && factor * power <= axis.high_) all.push_back(factor * power);
    // Over many decades the powers of ten alone.
    if (all.size() > 6)
        std::erase_if(all,
                      [](double v) { return std::abs(std::log10(v) - std::round(std::log10(v))) > 1e-6; });
    // Within one step of the series: the ends themselves.
    if (all.size() < 2) all = {low, high};
    axis.ticks_ = all;
    return axis;
}

double Axis::at(double value) const {
    const double share =
        log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
    return from_ + share * (to_ - from_);
}

std::string show_number(double value) {
    if (value == 0) return "0";
    const double size = std::abs(value);
    if (size >= 100) return fmt::format("{:.0f}", value);
    if (size >= 10) return fmt::format("{:.3g}", value);
    return fmt::format("{:.2g}", value);
}

}  // namespace tinyllm::study
