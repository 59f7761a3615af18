// Sentencepiece's precompiled character map: a double-array trie over UTF-8 and the replacements it points
// to. Layout: u32 bytes of the trie, the trie's u32 units (darts-clone), replacements that each end in NUL;
// little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

/// Throws Error(corrupt) naming `where`.
std::string decode_base64(std::string_view text, const std::string& where);
std::string encode_base64(std::string_view bytes);

class CharsMap {
  public:
    /// An empty blob maps nothing. Throws Error(corrupt), `where` naming file and place.
    static CharsMap from_bytes(std::string_view blob, const std::string& where);

    bool empty() const { return units_.empty(); }

    struct Match {
        std::size_t size;  // bytes of the text that are replaced
        std::string_view replacement;
    };
    /// The shortest or longest entry that starts `text`.
    std::optional<Match> match(std::string_view text, bool longest) const;

    /// As the tokenizers library applies the map: grapheme clusters of less than 6 bytes are looked up whole,
    /// else character by character; of several entries that start the piece the shortest counts and replaces
    /// all of it.
    std::string normalize_graphemes(std::string_view text) const;

  private:
    std::vector<std::uint32_t> units_;
    std::string replacements_;
};

}  // namespace tinyllm
