// The board and build a figure was measured on.
#pragma once

#include <string>

#include "tools/eval/row.h"

namespace tinyllm::eval {

/// {board, cpu, cores, usable_cores, memory_bytes, os, kernel, machine, compiler, commit, version}; a fact
/// that cannot be read is null.
Json machine_facts();

/// Starts a new peak of resident memory, so that peak_resident_bytes() speaks of what follows. False where
/// the kernel does not offer it; then the peak goes on counting from the process's start.
bool reset_peak_resident();

/// "2026-11-20T23:05:00Z"
std::string utc_now();

}  // namespace tinyllm::eval
