// How the report writes shares and sizes.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "tools/eval/metrics.h"

namespace tinyllm::study {

/// 0.5 as "50.0 %".
inline std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

/// "50.0 (40.4 to 59.6)": hits of n in percent, with Wilson's 95 % interval.
inline std::string share_with_interval(std::size_t hits, std::size_t n) {
    const eval::Interval interval = eval::wilson(hits, n);
    return fmt::format("{:.1f} ({:.1f} to {:.1f})", 100 * static_cast<double>(hits) / static_cast<double>(n),
                       100 * interval.low, 100 * interval.high);
}

/// Bytes in units of 2^20.
inline double megabytes(std::int64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace tinyllm::study
