// What a user or a file can cause. Broken invariants of our own are assertions instead.
#pragma once

#include <stdexcept>
#include <string>

#include "tinyllm/export.h"

namespace tinyllm {

/// Why a call failed. The values are the command's exit codes.
enum class ErrorKind : int {
    runtime = 1,
    usage = 2,
    not_found = 3,  ///< a model or data file is absent, or a download failed
    unsupported =
        4,  ///< an architecture, tokenizer part or type this build does not have; the message names it
    would_not_fit = 5,  ///< predicted to exceed memory
    out_of_memory = 6,  ///< met
    corrupt = 7,        ///< a file contradicts its format, or is unsafe
    check_failed = 8,   ///< a threshold, comparison or soak check did not hold
    device = 9,         ///< the device asked for cannot be used
};

/// One line: what, where (file, tensor, key, byte), expected, found, what to do.
class TINYLLM_API Error : public std::runtime_error {
  public:
    Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
    ErrorKind kind() const { return kind_; }

  private:
    ErrorKind kind_;
};

}  // namespace tinyllm
