// The stages at the text end of a decode chain: bytes to characters, joining, cleaning up.
#pragma once

#include <memory>
#include <string>

#include "tokenizers/decoder.h"

namespace tinyllm {

/// GPT-2's characters back to bytes, these to text; holds back an unfinished character. `fused`: what comes
/// in are parts of one token, which is bytes only if all of its characters are.
std::unique_ptr<DecodeStage> make_byte_stage(bool fused);

/// Joins by single spaces.
std::unique_ptr<DecodeStage> make_join_stage();

/// transformers' clean_up_tokenization: no space before . ? ! , and English contractions.
std::unique_ptr<DecodeStage> make_clean_up_stage();

/// Appends everything to `text`.
std::unique_ptr<DecodeStage> make_sink(std::string& text);

}  // namespace tinyllm
