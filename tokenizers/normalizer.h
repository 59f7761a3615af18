// The "normalizer" section of tokenizer.json: text in, text out.
#pragma once

#include <memory>
#include <string>

#include "tokenizers/json_node.h"

namespace tinyllm {

/// Text on its way through the pipeline. `at_start` is true while its first character stems from the first
/// character of the whole input; Metaspace's prepend_scheme "first" asks for it.
struct NormalText {
    std::string text;
    bool at_start = false;
};

class Normalizer {
  public:
    virtual ~Normalizer() = default;
    virtual void apply(NormalText& text) const = 0;
    /// True if apply() leaves every ASCII text as it is.
    virtual bool keeps_ascii() const { return false; }
};

/// Null for a null node. Throws Error: unsupported (names the node), corrupt.
std::unique_ptr<Normalizer> parse_normalizer(const JsonNode& node);

}  // namespace tinyllm
