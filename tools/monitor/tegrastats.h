// Lines of NVIDIA's tegrastats, in the forms of JetPack 4 to 6 ("Tegra Linux driver package, tegrastats
// utility" names the fields).
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "tools/monitor/sensor.h"

namespace tinyllm::monitor {

/// The readings of one line, in its order; fields that are not known are passed over, so a line without any
/// gives none. Clocks and loads of the CPU are means over the cores that are on.
std::vector<std::pair<Channel, double>> parse_tegrastats(std::string_view line);

}  // namespace tinyllm::monitor
