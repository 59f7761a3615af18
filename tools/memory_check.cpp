#include "tools/memory_check.h"

#include <algorithm>

#include "engine/fail.h"
#include "tools/board.h"

namespace tinyllm {
namespace {

/// What would need less, in the order of what it costs.
std::string advice(const MemoryUse& need, const ModelOptions& load, const SessionOptions& session) {
    std::string less;
    const auto add = [&](const char* what) { less += (less.empty() ? "" : ", ") + std::string(what); };
    if (session.context > 0) add("a smaller -c");
    const CacheTypes cache = cache_types(session, load.exact);
    if (session.context > 0 && !load.exact && (cache.k != DType::q4_0 || cache.v != DType::q4_0))
        add("-ctk q8_0 -ctv q8_0 or q4_0");
    if (need.weights > need.kv) add("a smaller weight type (quantize)");
    return less.empty() ? "a smaller model" : less;
}

}  // namespace

std::string meant_device(const std::string& device, const GpuProbe& probe) {
    if (device != "auto") return device;
    return probe.built_in && !probe.gpus.empty() ? "cuda" : "cpu";
}

MemoryLimits gpu_limits(std::optional<std::int64_t> host, const GpuProbe& probe) {
    MemoryLimits limits{host, {}};
    if (!probe.gpus.empty() && !probe.gpus[0].integrated && probe.gpus[0].free_bytes > 0)
        limits.device = probe.gpus[0].free_bytes;
    return limits;
}

void check_limits(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session,
                  const MemoryLimits& limits) {
    const MemoryUse need = predict_memory(facts, load, session, std::max<std::int64_t>(session.context, 1));
    const auto check = [&](std::int64_t needed, std::optional<std::int64_t> available, const char* where) {
        if (!available || needed <= *available) return;
        fail(ErrorKind::would_not_fit,
             "{}: needs {} of {}memory (weights {}, cache {}, scratch {}{}), available are {}: take {}, or "
             "--no-memory-check",
             facts.info.path, show_bytes(needed), where, show_bytes(need.weights), show_bytes(need.kv),
             show_bytes(need.scratch),
             need.context > 0 ? ", allowed for CUDA " + show_bytes(need.context) : "", show_bytes(*available),
             advice(need, load, session));
    };
    // Memory that both sides share holds everything.
    check(limits.device ? need.peak - need.device : need.peak, limits.host, "");
    check(need.device, limits.device, "the GPU's ");
}

void check_memory(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session) {
    const std::optional<std::int64_t> available = available_memory();
    if (load.device != "auto" && load.device != "cuda")
        return check_limits(facts, load, session, {available, {}});
    const GpuProbe probe = probe_gpus();
    ModelOptions meant = load;
    meant.device = meant_device(load.device, probe);
    if (meant.device == "cpu") return check_limits(facts, meant, session, {available, {}});
    if (probe.gpus.empty()) return;  // loading says that there is none
    check_limits(facts, meant, session, gpu_limits(available, probe));
}

}  // namespace tinyllm
