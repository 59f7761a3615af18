// What the CPU backend knows of the machine, for the engine.
#pragma once

#include "tinyllm/system.h"

namespace tinyllm {

/// The CPU's part of SystemInfo.
SystemInfo cpu_system_info();

}  // namespace tinyllm
