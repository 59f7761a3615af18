// GPT-2's bytes as printable characters: 0x21-0x7E, 0xA1-0xAC, 0xAE-0xFF stand for themselves, the other 68
// bytes for U+0100 and on. Source: https://github.com/openai/gpt-2/blob/master/src/encoder.py
#pragma once

#include <string>
#include <string_view>

namespace tinyllm {

std::string to_byte_level(std::string_view bytes);

/// Appends the bytes that `text` stands for; false (nothing appended) if it has a character that stands for
/// none.
bool from_byte_level(std::string_view text, std::string& out);

}  // namespace tinyllm
