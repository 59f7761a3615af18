#include "tokenizers/gguf_tokens.h"

#include <cmath>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {

GgufTokens read_gguf_tokens(const GgufFile& file) {
    GgufTokens tokens;
    const auto* texts = file.strings("tokenizer.ggml.tokens");
    if (!texts)
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens: expected a list of strings, found none",
             file.path());
    tokens.text.reserve(texts->size());
    tokens.text.assign(texts->begin(), texts->end());
    if (tokens.text.size() > static_cast<std::size_t>(Vocab::kMaxId))
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens: too many", file.path());
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        if (!is_valid_utf8(tokens.text[i]))
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens[{}]: not UTF-8", file.path(), i);
    }
    tokens.type.assign(tokens.text.size(), PieceType::normal);
    if (const auto* types = file.integers("tokenizer.ggml.token_type")) {
        if (types->size() != tokens.text.size()) {
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.token_type: expected {} values, found {}",
                 file.path(), tokens.text.size(), types->size());
        }
        for (std::size_t i = 0; i < types->size(); ++i) {
            const std::int64_t type = (*types)[i];
            if (type < 0 || type > 6)
                fail(ErrorKind::corrupt, "{}: tokenizer.ggml.token_type[{}]: {} is no type", file.path(), i,
                     type);
            tokens.type[i] = type == 0 ? PieceType::normal : static_cast<PieceType>(type);
        }
    }
    return tokens;
}

SpPieces read_gguf_pieces(const GgufFile& file, const GgufTokens& tokens) {
    SpPieces pieces;
    pieces.text.assign(tokens.text.begin(), tokens.text.end());
    pieces.type = tokens.type;
    pieces.score.assign(tokens.text.size(), 0.0F);
    if (const auto* scores = file.numbers("tokenizer.ggml.scores")) {
        if (scores->size() < tokens.text.size()) {
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.scores: expected {} values, found {}", file.path(),
                 tokens.text.size(), scores->size());
        }
        for (std::size_t i = 0; i < tokens.text.size(); ++i) {
            pieces.score[i] = static_cast<float>((*scores)[i]);
            if (std::isnan(pieces.score[i]))
                fail(ErrorKind::corrupt, "{}: tokenizer.ggml.scores[{}]: not a number", file.path(), i);
        }
    }
    return pieces;
}

std::optional<Token> gguf_token_key(const GgufFile& file, std::string_view key, std::size_t count,
                                    std::optional<Token> otherwise) {
    const GgufValue* value = file.find_value(key);
    std::int64_t id = otherwise ? *otherwise : -1;
    if (value) id = file.integer(key);
    if (id < 0 || static_cast<std::size_t>(id) >= count) return {};
    return static_cast<Token>(id);
}

std::vector<AddedToken> gguf_added_tokens(const GgufTokens& tokens) {
    std::vector<AddedToken> added;
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        const PieceType type = tokens.type[i];
        const bool special = type == PieceType::control || type == PieceType::unknown;
        if (!special && type != PieceType::user_defined) continue;
        AddedToken token;
        token.content = std::string(tokens.text[i]);
        token.special = special;
        token.normalized = false;
        added.push_back(std::move(token));
    }
    return added;
}

TokenizerExtras gguf_extras(const GgufTokens& tokens, std::optional<Token> bos, std::optional<Token> eos) {
    TokenizerExtras extras;
    if (bos) extras.bos = std::string(tokens.text[static_cast<std::size_t>(*bos)]);
    if (eos) extras.eos = std::string(tokens.text[static_cast<std::size_t>(*eos)]);
    return extras;
}

}  // namespace tinyllm
