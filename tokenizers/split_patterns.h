// Hand-written matchers for the regular expressions that most byte-level tokenizers split by. Each equals its
// pattern on every text; tests compare them with the regular expressions themselves.
#pragma once

#include <cstddef>
#include <string_view>

namespace tinyllm {

/// The end of the match that starts at `at` < text.size(). These patterns match everywhere and never match
/// nothing.
using Matcher = std::size_t (*)(std::string_view text, std::size_t at);

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t match_gpt2(std::string_view text, std::size_t at);

/// Null if `pattern` is none of the known ones.
Matcher find_matcher(std::string_view pattern);

extern const std::string_view kGpt2Pattern;
extern const std::string_view kLlama3Pattern;
extern const std::string_view kQwen2Pattern;
/// llama.cpp's forms of the last two: U+017F is no s behind an apostrophe.
extern const std::string_view kGgufLlama3Pattern;
extern const std::string_view kGgufQwen2Pattern;

}  // namespace tinyllm
