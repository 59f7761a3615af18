#include "tools/study/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tinyllm::study {
namespace {

std::string number(double value) {
    std::string text = fmt::format("{:.1f}", value);
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
            case '\n':
            case '\t':
                result += c;
                break;
            default:  // a page has no place for the other control characters
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
                    result += "\xef\xbf\xbd";
                } else {
                    result += c;
                }
        }
    }
    return result;
}

Svg::Svg(double width, double height, std::string title, std::string description)
    : width_(width), height_(height), title_(std::move(title)), description_(std::move(description)) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view style) {
    const std::string a = number(x1), b = number(y1), c = number(x2), d = number(y2);
    const std::string to = b == d ? "H" + c : a == c ? "V" + d : "L" + c + " " + d;
    body_ += fmt::format("<path d=\"M{} {}{}\" class=\"{}\"/>\n", a, b, to, style);
}

void Svg::rect(double x, double y, double width, double height, std::string_view style,
               std::string_view tip) {
    body_ +=
        fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{}\">{}</rect>\n", number(x),
                    number(y), number(std::max(width, 0.5)), number(height), style, tip_element(tip));
}

void Svg::text(double x, double y, std::string_view text, std::string_view style, std::string_view anchor) {
    body_ += fmt::format("<text x=\"{}\" y=\"{}\" class=\"{}\"{}>{}</text>\n", number(x), number(y), style,
                         anchor == "start" ? std::string() : fmt::format(" text-anchor=\"{}\"", anchor),
                         escape_html(text));
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, std::string_view style,
                   std::string_view tip) {
    std::string list;
    for (const auto& [x, y] : points)
        list += fmt::format("{}{},{}", list.empty() ? "" : " ", number(x), number(y));
    body_ +=
        fmt::format("<polyline points=\"{}\" class=\"{}\">{}</polyline>\n", list, style, tip_element(tip));
}

void Svg::mark(double x, double y, int shape, double size, std::string_view style, std::string_view tip) {
    const double s = size;
    std::string path;
    switch (shape % 4) {
        case 0:
            body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{}\">{}</circle>\n", number(x),
                                 number(y), number(s), style, tip_element(tip));
            return;
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
    std::string head = " aria-hidden=\"true\">";
    if (!title_.empty()) {
        head = fmt::format(" role=\"img\" aria-label=\"{0}\"><title>{0}</title>", escape_html(title_));
        if (!description_.empty()) head += fmt::format("<desc>{}</desc>", escape_html(description_));
    }
    return fmt::format("<svg viewBox=\"0 0 {} {}\"{}\n{}</svg>\n", number(width_), number(height_), head,
                       body_);
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
    // Within a step or two of the series: even steps.
    if (all.size() < 3) {
        all.clear();
        const Axis even = linear(low, high, from, to, 4);
        for (double tick : even.ticks())
            if (tick >= axis.low_ && tick <= axis.high_ && tick > 0) all.push_back(tick);
    }
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
