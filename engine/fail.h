// Throwing tinyllm::Error with a formatted line.
#pragma once

#include <fmt/format.h>

#include "tinyllm/error.h"

namespace tinyllm {

/// fail(ErrorKind::corrupt, "{}: tensor {}: expected {} bytes, found {}", file, name, want, have)
template <typename... T>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<T...> format, T&&... args) {
    throw Error(kind, fmt::format(format, std::forward<T>(args)...));
}

}  // namespace tinyllm
