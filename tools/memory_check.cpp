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

void check_memory(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session) {
    const std::optional<std::int64_t> available = available_memory();
    if (!available) return;
    const MemoryUse need = predict_memory(facts, load, session, std::max<std::int64_t>(session.context, 1));
    if (need.peak <= *available) return;
    fail(ErrorKind::would_not_fit,
         "{}: needs {} of memory (weights {}, cache {}, scratch {}), available are {}: take {}, or "
         "--no-memory-check",
         facts.info.path, show_bytes(need.peak), show_bytes(need.weights), show_bytes(need.kv),
         show_bytes(need.scratch), show_bytes(*available), advice(need, load, session));
}

}  // namespace tinyllm
