// What transformers' fast tokenizer classes add to tokenizer.json (4.57, AutoTokenizer): they rewrite parts
// of it from tokenizer_config.json, special_tokens_map.json and added_tokens.json.
//   every class      tokenizer_config's add_prefix_space (default false) replaces the one of a top-level
//   ByteLevel
//                    pre-tokenizer; tokens of added_tokens_decoder and the named special tokens are added
//   Llama, GPTNeoX,  the post-processor is replaced by [bos] $A [eos] as add_bos_token and add_eos_token say
//   Gemma, Cohere,   (defaults: Llama, Gemma, Cohere true/false, GPTNeoX false/false)
//   Llama            add_prefix_space, where given and tokenizer.model is there, rewrites normalizer,
//   pre-tokenizer, decoder
//   T5               "<extra_id_0>" and so on are added, extra_ids of them (default 100), unless
//   additional_special_tokens lists them; add_prefix_space, where given, makes the tokenizer from
//   spiece.model other classes    as tokenizer.json says
// The class is tokenizer_config's tokenizer_class, else config.json's, else the one of its model_type.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tokenizers/pipeline.h"
#include "tokenizers/tokenizer_spec.h"

namespace tinyllm {

/// The JSON files of a folder; null JSON for those that are absent.
struct HfTokenizerFiles {
    std::string folder;
    nlohmann::json tokenizer_config, special_tokens_map, added_tokens, config;
    bool has_sentencepiece = false;  // tokenizer.model
    bool has_spiece = false;         // spiece.model

    static HfTokenizerFiles read(const std::string& folder);

    /// Without "Fast": "LlamaTokenizer"; empty if nothing names one.
    std::string tokenizer_class() const;
    /// A special token's text, "bos_token" for example: of the files, else the class's default; nothing if
    /// there is none.
    std::optional<std::string> special_token(const std::string& name) const;
    bool flag(const std::string& name, bool otherwise) const;
    /// How many "<extra_id_n>" a T5 tokenizer has. Throws Error(corrupt).
    std::int64_t extra_ids() const;
    /// T5 with add_prefix_space given: the tokenizer is made from spiece.model, whatever tokenizer.json says.
    bool from_spiece() const;
};

/// Edits `spec` as the folder's class does and returns what does not stand in tokenizer.json. `converted`:
/// there is no tokenizer.json; the properties that other files give special tokens then win over the spec's.
TokenizerExtras apply_hf_rules(const HfTokenizerFiles& files, TokenizerSpec& spec, bool converted = false);

}  // namespace tinyllm
