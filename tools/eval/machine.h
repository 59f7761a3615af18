// The board a figure was measured on, and what this process used of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/eval/row.h"

namespace tinyllm::eval {

/// {board, cpu, cores, memory_mb, kernel, compiler, commit, version}; a fact that cannot be read is null.
Json machine_facts();

/// Peak resident bytes of this process since the start or the last reset; nothing where /proc does not say.
std::optional<std::int64_t> peak_resident_bytes();

/// Starts a new peak. False where the kernel does not offer it; then the peak goes on counting from the
/// process's start.
bool reset_peak_resident();

/// "2026-11-20T23:05:00Z"
std::string utc_now();

}  // namespace tinyllm::eval
