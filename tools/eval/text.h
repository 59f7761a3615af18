// Python's notions of white space, length and case: the harness's prompts and metrics are defined by them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tinyllm::eval {

/// str.isspace() for one code point.
bool is_python_space(std::uint32_t code_point);

/// str.strip() and the length in bytes of what str.rstrip() removes.
std::string python_strip(std::string_view text);
std::size_t trailing_space_bytes(std::string_view text);

/// len(str): code points, not bytes. `text` must be valid UTF-8 (what comes out of JSON is).
std::size_t code_points(std::string_view text);

/// str.capitalize(): the first character in title case, all others in lower case, by the full Unicode
/// mappings (one character may become several; a final sigma differs from one inside a word).
std::string python_capitalize(std::string_view text);

/// Replaces every `from`, left to right without rescanning: str.replace().
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// Appends `item` to a list for reading: "a, b, c".
void list_item(std::string& list, std::string_view item);

}  // namespace tinyllm::eval
