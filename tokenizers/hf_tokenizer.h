// The tokenizer of a Hugging Face folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tokenizers/hf_rules.h"

namespace tinyllm {

/// What a folder's tokenizer is read from, the first that is there.
inline constexpr std::string_view kHfTokenizerFiles =
    "tokenizer.json, spiece.model, vocab.json + merges.txt or tokenizer.model";

/// From one of kHfTokenizerFiles.
/// Throws Error: not_found naming what was looked for, unsupported, corrupt.
std::shared_ptr<const Tokenizer> load_hf_tokenizer(const std::string& folder);

/// What the folder's tokenizer.json, spiece.model, or vocab.json + merges.txt, and the files beside it say;
/// nothing if it has none of them.
std::optional<std::pair<TokenizerSpec, TokenizerExtras>> read_hf_spec(const std::string& folder,
                                                                      const HfTokenizerFiles& files);

/// vocab.json and merges.txt as the class that `files` names converts them: GPT-2's byte-level BPE, Qwen2's
/// with its own split and NFC.
TokenizerSpec read_vocab_and_merges(const std::string& folder, const HfTokenizerFiles& files);

}  // namespace tinyllm
