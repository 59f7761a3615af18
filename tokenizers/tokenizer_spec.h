// tokenizer.json as read: the small sections as JSON, vocabulary and merges as flat lists (as JSON they would
// take several times the memory and the time).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/text_list.h"

namespace tinyllm {

struct TokenizerSpec {
    std::string file;     // for messages
    nlohmann::json root;  // without model.vocab and model.merges
    TextList vocab;
    std::vector<std::int64_t> ids;  // of vocab; empty if they count from 0
    std::vector<double> scores;     // of vocab, if scored
    TextList merges;                // left, right, left, right, ...
    bool scored = false;            // the vocabulary is a list of (piece, score), as Unigram has it
    bool has_vocab = false, has_merges = false;

    std::int64_t id(std::size_t i) const { return ids.empty() ? static_cast<std::int64_t>(i) : ids[i]; }
    /// Drops the vocabulary there was.
    void start_vocab(bool with_scores);
    /// All three throw Error(corrupt) when the texts become too many to count. The first is of a vocabulary
    /// without scores, the second of one with them.
    void add_token(std::string_view piece, std::int64_t id);
    void add_scored(std::string_view piece, double score);
    void add_merge(std::string_view left, std::string_view right);
};

/// Throws Error(corrupt) naming `file` and the byte.
TokenizerSpec parse_tokenizer_json(std::string_view json, const std::string& file);

/// The whole as tokenizer.json text again.
std::string write_tokenizer_json(const TokenizerSpec& spec);

}  // namespace tinyllm
