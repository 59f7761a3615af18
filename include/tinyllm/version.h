#pragma once

#include "tinyllm/export.h"

namespace tinyllm {

/// "0.1.0"
TINYLLM_API const char* version();

}  // namespace tinyllm
