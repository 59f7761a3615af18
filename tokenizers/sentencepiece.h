// tokenizer.model: a sentencepiece ModelProto, read by a small protobuf reader that checks every length.
// Format: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokenizers/hf_rules.h"
#include "tokenizers/sp_bpe.h"

namespace tinyllm {

struct SentencepieceModel {
    SpPieces pieces;
    int model_type = 1;  // 1 unigram, 2 BPE, 3 word, 4 char
    std::int32_t unk_id = 0;
    bool byte_fallback = false;
    bool space_as_suffix = false;
    std::string chars_map;
    bool dummy_prefix = true;
    bool remove_extra_spaces = true;
    bool escape_spaces = true;
};

/// Throws Error(corrupt) naming `file`.
SentencepieceModel parse_sentencepiece(std::string_view bytes, const std::string& file);

/// Throws Error(unsupported) naming the model's type if it is not `type`.
void check_sentencepiece_type(const SentencepieceModel& model, int type, const std::string& file);

/// The plain ids are sentencepiece's. Special tokens as transformers' LlamaTokenizer has them: control pieces
/// and the unknown piece written in the text are cut out; with "legacy" (the default) every section between
/// them gets the dummy prefix, without only the start of the text; add_bos_token (default true) and
/// add_eos_token put bos and eos around.
std::shared_ptr<const Tokenizer> build_sentencepiece(const SentencepieceModel& model,
                                                     const HfTokenizerFiles& files, const std::string& file);

}  // namespace tinyllm
