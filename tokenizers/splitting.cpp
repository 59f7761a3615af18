#include "tokenizers/splitting.h"

#include <algorithm>

namespace tinyllm {

SplitBehavior parse_behavior(const JsonNode& node) {
    const std::string name = node.string();
    if (name == "Removed") return SplitBehavior::removed;
    if (name == "Isolated") return SplitBehavior::isolated;
    if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
    if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
    if (name == "Contiguous") return SplitBehavior::contiguous;
    node.unsupported("\"" + name + "\"");
}

void join_parts(const std::vector<Part>& parts, SplitBehavior behavior, std::vector<Span>& out) {
    const std::size_t first = out.size();
    const auto put = [&out](Span s) {
        if (s.begin != s.end) out.push_back(s);
    };
    switch (behavior) {
        case SplitBehavior::removed:
            for (const Part& p : parts) {
                if (!p.match) put(p.span);
            }
            return;
        case SplitBehavior::isolated:
            for (const Part& p : parts) put(p.span);
            return;
        case SplitBehavior::contiguous:
        case SplitBehavior::merged_with_previous: {
            bool before = false;
            for (const Part& p : parts) {
                const bool join =
                    behavior == SplitBehavior::contiguous ? p.match == before : p.match && !before;
                if (join && out.size() > first) {
                    out.back().end = p.span.end;
                } else {
                    out.push_back(p.span);
                }
                before = p.match;
            }
            break;
        }
        case SplitBehavior::merged_with_next: {
            bool before = false;
            for (auto p = parts.rbegin(); p != parts.rend(); ++p) {
                if (p->match && !before && out.size() > first) {
                    out.back().begin = p->span.begin;
                } else {
                    out.push_back(p->span);
                }
                before = p->match;
            }
            std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
            break;
        }
    }
    out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                             [](Span s) { return s.begin == s.end; }),
              out.end());
}

}  // namespace tinyllm
