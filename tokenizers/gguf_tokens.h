// What every kind of tokenizer in a GGUF file is read from: texts, types and scores of its tokens.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/gguf.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/sp_bpe.h"

namespace tinyllm {

/// Token texts and types, checked.
struct GgufTokens {
    std::vector<std::string_view> text;
    std::vector<PieceType> type;
};

/// Throws Error(corrupt).
GgufTokens read_gguf_tokens(const GgufFile& file);

/// Texts and types with tokenizer.ggml.scores, zeros where the file has none. Throws Error(corrupt).
SpPieces read_gguf_pieces(const GgufFile& file, const GgufTokens& tokens);

/// An id under `key`, else `otherwise`; none if it is no token's, which llama.cpp too takes for none.
std::optional<Token> gguf_token_key(const GgufFile& file, std::string_view key, std::size_t count,
                                    std::optional<Token> otherwise = {});

/// The tokens that are cut out of a text before it is tokenized.
std::vector<AddedToken> gguf_added_tokens(const GgufTokens& tokens);

/// Names BOS and EOS.
TokenizerExtras gguf_extras(const GgufTokens& tokens, std::optional<Token> bos, std::optional<Token> eos);

/// tokenizer.ggml.model "t5": Unigram with the normalization of llama.cpp. Throws Error(corrupt).
std::shared_ptr<const Tokenizer> load_gguf_unigram(const GgufFile& file, const GgufTokens& tokens);

}  // namespace tinyllm
