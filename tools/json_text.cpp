#include "tools/json_text.h"

#include "engine/fail.h"

namespace tinyllm {
namespace {

constexpr int kMostDepth = 64;

/// Of brackets outside of strings.
bool too_deep(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kMostDepth) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

}  // namespace

Json json_from(std::string_view text, const std::string& place) {
    if (too_deep(text))
        fail(ErrorKind::corrupt, "{}: expected JSON of at most {} levels, found deeper nesting", place,
             kMostDepth);
    try {
        return Json::parse(text);
    } catch (const Json::exception& error) {
        fail(ErrorKind::corrupt, "{}: expected JSON, found {}", place, json_reason(error));
    }
}

std::string json_reason(const std::exception& problem) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: reason"
    std::string_view reason = problem.what();
    if (const auto head = reason.find("] "); reason.starts_with("[json.") && head != reason.npos)
        reason.remove_prefix(head + 2);
    return std::string(reason);
}

std::optional<Json> json_if(std::string_view text) {
    if (too_deep(text)) return std::nullopt;
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded()) return std::nullopt;
    return value;
}

}  // namespace tinyllm
