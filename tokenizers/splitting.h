// Cutting words at delimiters, and what is to become of the delimiters.
#pragma once

#include <utility>
#include <vector>

#include "tokenizers/pre_tokenizer.h"

namespace tinyllm {

/// One part of a word: a delimiter or what lies between two.
struct Part {
    Span span;
    bool match;
};

/// Throws Error(unsupported) naming the node.
SplitBehavior parse_behavior(const JsonNode& node);

/// Appends the spans that remain of `parts`, which cover one word without gaps.
void join_parts(const std::vector<Part>& parts, SplitBehavior behavior, std::vector<Span>& out);

/// Cuts every word. `find(word, match)` calls `match(begin, end)` for each delimiter, in order, positions
/// relative to the word.
template <typename Find>
void split_words(Words& words, SplitBehavior behavior, bool invert, Find&& find) {
    std::vector<Span> out;
    out.reserve(words.spans.size() * 2);
    std::vector<Part> parts;
    for (const Span word : words.spans) {
        parts.clear();
        std::uint32_t done = word.begin;
        find(words.view(word), [&](std::size_t begin, std::size_t end) {
            const auto b = static_cast<std::uint32_t>(word.begin + begin),
                       e = static_cast<std::uint32_t>(word.begin + end);
            if (done != b) parts.push_back({{done, b}, invert});
            parts.push_back({{b, e}, !invert});
            done = e;
        });
        if (done != word.end) parts.push_back({{done, word.end}, invert});
        join_parts(parts, behavior, out);
    }
    if (words.at_start && (out.empty() || words.spans.empty() || out[0].begin != words.spans[0].begin))
        words.at_start = false;
    words.spans = std::move(out);
}

}  // namespace tinyllm
