// Names of Jetson's power rails (Jetson Linux Developer Guide, "Platform Power and Performance": the rails of
// each module).
#pragma once

#include <string_view>

#include "tools/monitor/sensor.h"

namespace tinyllm::monitor {

/// VDD_IN (Orin, Xavier NX) and POM_5V_IN (Nano) feed the whole module; other rails lie within or are not
/// all.
inline Covers rail_covers(std::string_view name) {
    return name == "VDD_IN" || name == "POM_5V_IN" ? Covers::whole : Covers::detail;
}

}  // namespace tinyllm::monitor
