// The few shapes the report's charts are made of. Coordinates are in the units of the view box; colours are
// CSS classes, so that the page's style decides them for light and dark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tinyllm::study {

/// For text and quoted attributes. Control characters but line ends and tabs become U+FFFD.
std::string escape_html(std::string_view text);

class Svg {
  public:
    /// `title` and `description` are what a screen reader says; without a title it passes over a drawing that
    /// only decorates.
    Svg(double width, double height, std::string title, std::string description);

    void line(double x1, double y1, double x2, double y2, std::string_view style);
    void rect(double x, double y, double width, double height, std::string_view style,
              std::string_view tip = "");
    /// anchor: "start", "middle", "end"
    void text(double x, double y, std::string_view text, std::string_view style = "",
              std::string_view anchor = "start");
    void polyline(const std::vector<std::pair<double, double>>& points, std::string_view style,
                  std::string_view tip = "");
    /// shape: 0 circle, 1 square, 2 triangle, 3 diamond, and again
    void mark(double x, double y, int shape, double size, std::string_view style, std::string_view tip = "");

    std::string str() const;

  private:
    double width_, height_;
    std::string title_, description_, body_;
};

/// A scale from values to positions, with round ticks.
class Axis {
  public:
    static Axis linear(double low, double high, double from, double to, int ticks = 5);
    /// Both ends must be positive; ticks at 1, 2, 5 times powers of ten.
    static Axis logarithmic(double low, double high, double from, double to);

    double at(double value) const;
    const std::vector<double>& ticks() const { return ticks_; }

  private:
    double low_ = 0, high_ = 1, from_ = 0, to_ = 1;
    bool log_ = false;
    std::vector<double> ticks_;
};

/// 0.25, 3, 1200 as a reader writes them.
std::string show_number(double value);

}  // namespace tinyllm::study
