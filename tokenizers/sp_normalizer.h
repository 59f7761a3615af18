// Sentencepiece's text normalization: character map, extra white space, dummy prefix, U+2581 for spaces.
// Source: https://github.com/google/sentencepiece, src/normalizer.cc.
#pragma once

#include <string>

#include "tokenizers/added_tokens.h"
#include "tokenizers/normalizer.h"
#include "tokenizers/precompiled.h"

namespace tinyllm {

struct SpNormalizerOptions {
    CharsMap chars;
    bool dummy_prefix = true;
    bool only_at_start = false;  ///< the prefix is for the start of the whole text, not of every section
    bool remove_extra_spaces = false;
    bool escape_spaces = true;
    bool space_as_suffix = false;
};

class SpNormalizer : public Normalizer {
  public:
    /// `keep`: strings that stay as they are (user-defined pieces).
    SpNormalizer(SpNormalizerOptions options, StringMatcher keep)
        : options_(std::move(options)), keep_(std::move(keep)) {}
    void apply(NormalText& text) const override;

  private:
    struct Step {
        std::string_view text;
        std::size_t size;  // bytes of the input it stands for
    };
    Step step(std::string_view rest, std::size_t at, StringMatcher::Match& kept,
              std::string_view whole) const;
    SpNormalizerOptions options_;
    StringMatcher keep_;
};

}  // namespace tinyllm
