// tokenizer.json as read: the small sections as JSON, vocabulary and merges as flat lists (as JSON they would
// take several times the memory and the time).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/bpe.h"

namespace tinyllm {

struct TokenizerSpec {
    struct Text {
        std::uint64_t offset = 0;
        std::uint32_t size = 0;
    };
    struct Entry {
        Text text;
        std::int64_t id = 0;
        double score = 0;  // of Unigram pieces
    };
    struct Merge {
        Text left, right;
    };

    std::string file;     // for messages
    nlohmann::json root;  // without model.vocab and model.merges
    std::string text;     // what the Texts refer to
    std::vector<Entry> vocab;
    std::vector<Merge> merges;
    bool scored = false;  // the vocabulary is a list of (piece, score), as Unigram has it
    bool has_vocab = false, has_merges = false;

    std::string_view view(Text t) const { return std::string_view(text).substr(t.offset, t.size); }
    Text add_text(std::string_view s) {
        const Text t{text.size(), static_cast<std::uint32_t>(s.size())};
        text += s;
        return t;
    }
    void add_entry(std::string_view piece, std::int64_t id) { vocab.push_back({add_text(piece), id, 0}); }
};

/// Throws Error(corrupt) naming `file` and the byte.
TokenizerSpec parse_tokenizer_json(std::string_view json, const std::string& file);

/// The whole as tokenizer.json text again.
std::string write_tokenizer_json(const TokenizerSpec& spec);

}  // namespace tinyllm
