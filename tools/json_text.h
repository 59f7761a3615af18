// JSON that others wrote: data files, journals, answers of a server.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tinyllm {

/// Keeps keys in the order they were written.
using Json = nlohmann::ordered_json;

/// Throws Error(corrupt) naming `place` (a path, perhaps with a line): text that is not JSON, and values
/// nested deeper than 64 levels, on which whoever walks a value by recursion would run out of stack.
Json json_from(std::string_view text, const std::string& place);

/// What the JSON library complains of, without its own numbering.
std::string json_reason(const std::exception& problem);

/// Nothing where json_from() would throw.
std::optional<Json> json_if(std::string_view text);

}  // namespace tinyllm
