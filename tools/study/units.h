// How the report writes shares and sizes.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace tinyllm::study {

/// 0.5 as "50.0 %".
inline std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

/// Bytes in units of 2^20.
inline double megabytes(std::int64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace tinyllm::study
