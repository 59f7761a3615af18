// Tokenizers inside GGUF files, by llama.cpp's keys (tokenizer.ggml.*).
// Reading: tokenizer.huggingface.json, where present, is the tokenizer itself and wins; so do the keys below;
// else the text is cut as llama.cpp does for the file's tokenizer.ggml.pre. Writing adds one key of our own,
// because llama.cpp's keys do not hold all of a pipeline (normalizers, stripping tokens, ...):
//   tinyllm.tokenizer.pipeline        tokenizer.json without vocabulary and merges, which are in llama.cpp's
//   keys tinyllm.tokenizer.sentencepiece   what tokenizer.model and tokenizer_config.json say beside the
//   pieces
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/gguf.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

/// Throws Error: not_found (the file holds no tokenizer), unsupported (names the model or pre-tokenizer),
/// corrupt.
std::shared_ptr<const Tokenizer> load_gguf_tokenizer(const GgufFile& file);

/// Writes the tokenizer of a Hugging Face folder as llama.cpp's converter does: as many tokens as the model
/// has vocabulary rows, the missing ones as unused "[PADn]". Throws Error(unsupported) if an id lies beyond
/// the rows or the kind has no GGUF form.
void write_gguf_tokenizer(const std::string& hf_folder, std::int64_t n_vocab_rows, GgufWriter& writer);

}  // namespace tinyllm
