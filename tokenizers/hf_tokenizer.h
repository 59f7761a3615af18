// The tokenizer of a Hugging Face folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tokenizers/hf_rules.h"

namespace tinyllm {

/// From tokenizer.json, else vocab.json + merges.txt, else tokenizer.model.
/// Throws Error: not_found naming what was looked for, unsupported, corrupt.
std::shared_ptr<const Tokenizer> load_hf_tokenizer(const std::string& folder);

/// What the folder's tokenizer.json, or vocab.json + merges.txt, and the files beside it say; nothing if it
/// has neither.
std::optional<std::pair<TokenizerSpec, TokenizerExtras>> read_hf_spec(const std::string& folder,
                                                                      const HfTokenizerFiles& files);

/// vocab.json and merges.txt as the class that `files` names converts them: GPT-2's byte-level BPE, Qwen2's
/// with its own split and NFC.
TokenizerSpec read_vocab_and_merges(const std::string& folder, const HfTokenizerFiles& files);

}  // namespace tinyllm
