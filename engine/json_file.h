// JSON from untrusted files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tinyllm {

/// Throws Error(corrupt) naming `what` (a path) and the byte: invalid JSON or UTF-8, a key that stands twice
/// in one object, nesting deeper than 64, trailing text.
nlohmann::json parse_json(std::string_view text, const std::string& what);

/// parse_json of a whole file. Throws also Error(not_found).
nlohmann::json read_json_file(const std::string& path);

}  // namespace tinyllm
