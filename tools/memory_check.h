// Refusing what cannot fit before memory is touched: a board that begins to swap or to kill is worse than an
// error.
#pragma once

#include <optional>

#include "tinyllm/gpu.h"
#include "tinyllm/inspect.h"

namespace tinyllm {

/// Throws Error(would_not_fit) where the model's expected peak with a session of this context (as asked for;
/// the cache grows as it is filled, so no more is counted) exceeds what the machine and the control group
/// have left, or a GPU with memory of its own has free. One line: what is needed, what there is, what would
/// be less.
void check_memory(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session);

/// The device that models run on: "auto" is "cuda" where this build's kernels find a GPU, else "cpu".
std::string meant_device(const std::string& device, const GpuProbe& probe);

/// Bytes that may still be taken; not known: not limited.
struct MemoryLimits {
    std::optional<std::int64_t> host;
    std::optional<std::int64_t> device;  // of a GPU that has memory of its own
};

/// What `need` may take on the first GPU of `probe`, `host` being available before it was asked for. The
/// context, which asking creates, then is no longer in a GPU's free memory, and in `host` still is.
MemoryLimits gpu_limits(std::optional<std::int64_t> host, const GpuProbe& probe);

/// check_memory() with limits given.
void check_limits(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session,
                  const MemoryLimits& limits);

}  // namespace tinyllm
