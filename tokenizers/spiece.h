// spiece.model without a tokenizer.json: T5's sentencepiece model as transformers turns it into a fast
// tokenizer (4.57, T5TokenizerFast): its pieces, then the extra ids, the last first.
#pragma once

#include <string>
#include <string_view>

#include "tokenizers/hf_rules.h"

namespace tinyllm {

/// What tokenizer.json would say of the folder. Reads of `files`: extra_ids (default 100), legacy (default
/// true), add_prefix_space (default true). Throws Error: corrupt naming `path`; unsupported if the class is
/// not T5's or the model no Unigram.
TokenizerSpec read_spiece(std::string_view bytes, const std::string& path, const HfTokenizerFiles& files);

}  // namespace tinyllm
