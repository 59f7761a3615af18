// What several of the report's charts have in common.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/study/svg.h"

namespace tinyllm::study {

inline constexpr double kChartWidth = 440;

/// `text`, or so many code points of it with "…" at the end.
std::string shortened(const std::string& text, std::size_t most);

/// About how wide a text in the class "tick" is.
double text_width(const std::string& text);

void vertical_grid(Svg& svg, const Axis& axis, double top, double bottom,
                   const std::function<std::string(double)>& show);
void horizontal_grid(Svg& svg, const Axis& axis, double left, double right,
                     const std::function<std::string(double)>& show);

/// Texts beside lines or points that keep clear of each other: each is put at the first free of the places
/// that suit it, or left out.
class Labels {
  public:
    Labels(double left, double top, double right, double bottom)
        : left_(left), top_(top), right_(right), bottom_(bottom) {}
    /// Nothing is put over this.
    void block(double x, double y, double width, double height);
    /// Around the point (x, y).
    void put(Svg& svg, double x, double y, const std::string& text);

  private:
    struct Box {
        double x, y, width, height;
    };
    bool is_free(const Box& box) const;
    double left_, top_, right_, bottom_;
    std::vector<Box> taken_;
};

/// Heights for labels at the end of lines that end at `wanted`: in the same order, `step` apart at least,
/// between `top` and `bottom` where there is room.
std::vector<double> spread(const std::vector<double>& wanted, double step, double top, double bottom);

}  // namespace tinyllm::study
