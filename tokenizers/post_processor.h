// The "post_processor" section of tokenizer.json for a single sequence: which special tokens go around the
// ids.
#pragma once

#include <utility>
#include <vector>

#include "tinyllm/tokenizer.h"
#include "tokenizers/json_node.h"

namespace tinyllm {

class PostProcessor {
  public:
    PostProcessor() = default;
    /// A null node adds nothing. Throws Error: unsupported (names the node), corrupt.
    explicit PostProcessor(const JsonNode& node) { parse(node); }

    /// Puts `before` in front of the ids and `after` behind them.
    PostProcessor(std::vector<Token> before, const std::vector<Token>& after) {
        before.push_back(kSequence);
        before.insert(before.end(), after.begin(), after.end());
        templates_.push_back(std::move(before));
    }

    /// Without `add_special` only what a template does to the sequence itself remains.
    void apply(std::vector<Token>& ids, bool add_special) const;

  private:
    static constexpr Token kSequence = -1;  // stands for the ids so far
    void parse(const JsonNode& node);
    std::vector<std::vector<Token>> templates_;  // applied one after the other
};

}  // namespace tinyllm
