// What turns one word into tokens. Each kind (BPE, sentencepiece BPE, ...) is one file.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizers/vocab.h"

namespace tinyllm {

class TokenModel {
  public:
    virtual ~TokenModel() = default;
    /// Appends the tokens of `word`, which is not empty.
    virtual void encode(std::string_view word, std::vector<Token>& out) const = 0;
    virtual const Vocab& vocab() const = 0;
};

}  // namespace tinyllm
