// llama.cpp's names for pre-tokenizers (tokenizer.ggml.pre) and what they stand for.
// Source of names and expressions: llama.cpp, src/llama-vocab.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

struct GgufPre {
    std::vector<std::string_view> regexes;  // each cuts what the one before left, matches and gaps alike
    bool ignore_merges = false;
    bool add_bos = false;  // unless the file says otherwise
};

/// Null if the name is not known.
const GgufPre* find_gguf_pre(std::string_view name);

}  // namespace tinyllm
