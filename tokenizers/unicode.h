// Character classes as the reference tokenizers' regex engine and Rust's char methods see them.
#pragma once

#include <string>
#include <string_view>

namespace tinyllm {

enum class CharClass : unsigned char { other, letter, number, space };

/// \p{L}, \p{N}, White_Space, or none of them.
CharClass char_class(char32_t code);

inline bool is_letter(char32_t code) {
    return char_class(code) == CharClass::letter;
}
inline bool is_number(char32_t code) {
    return char_class(code) == CharClass::number;
}
inline bool is_space(char32_t code) {
    return char_class(code) == CharClass::space;
}

bool is_punctuation(char32_t code);  ///< ASCII punctuation and \p{P}, by the library's older tables
bool is_mark(char32_t code);         ///< \p{M}, by the library's older tables
bool is_numeric(char32_t code);      ///< \p{N}, by the library's newer tables
bool is_word(char32_t code);         ///< \w: alphabetic, marks, decimal digits, connectors, joiners

/// The lower-case form; U+0130 alone has two characters.
void append_lowercase(std::string& out, char32_t code);

enum class NormalForm { nfc, nfd, nfkc, nfkd };

/// `text` must be valid UTF-8.
std::string normalize(std::string_view text, NormalForm form);

}  // namespace tinyllm
