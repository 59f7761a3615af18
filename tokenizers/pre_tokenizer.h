// The "pre_tokenizer" section of tokenizer.json: cuts a text into the words that the model sees one by one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/json_node.h"

namespace tinyllm {

struct Span {
    std::uint32_t begin, end;  // bytes of Words::text
};

/// Words in order, never empty, each a part of `text`.
struct Words {
    std::string text;
    std::vector<Span> spans;
    bool at_start = false;  // the first word begins where the whole input begins

    std::string_view view(Span s) const { return std::string_view(text).substr(s.begin, s.end - s.begin); }
};

class PreTokenizer {
  public:
    virtual ~PreTokenizer() = default;
    virtual void apply(Words& words) const = 0;
    /// True if the last thing it does is GPT-2's spelling of bytes as characters.
    virtual bool ends_in_byte_level() const { return false; }
    /// From now on leaves that last step out: the model reads bytes.
    virtual void leave_bytes() {}
};

/// Null for a null node. Throws Error: unsupported (names the node), corrupt.
std::unique_ptr<PreTokenizer> parse_pre_tokenizer(const JsonNode& node);

/// What becomes of the delimiters that words are cut at.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

}  // namespace tinyllm
