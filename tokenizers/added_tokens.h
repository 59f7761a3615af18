// Tokens recognised in the text before the model sees it: special ones, and others added to a trained
// vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenizers/normalizer.h"
#include "tokenizers/token_model.h"

namespace tinyllm {

struct AddedToken {
    std::string content;
    bool single_word = false;
    bool lstrip = false;
    bool rstrip = false;
    bool normalized = true;
    bool special = false;
};

/// A part of a text; `token` is -1 for ordinary text.
struct Section {
    std::size_t begin, end;
    Token token;
};

/// Finds the leftmost, then longest, of several strings.
class StringMatcher {
  public:
    void add(std::string_view text, std::int32_t value);
    bool empty() const { return nodes_.size() == 1; }
    struct Match {
        std::size_t begin, end;
        std::int32_t value;  // -1: nothing found
    };
    Match find(std::string_view text, std::size_t from) const;

  private:
    struct Node {
        std::int32_t value = -1;
        std::vector<std::pair<unsigned char, std::uint32_t>> next;  // sorted by byte
    };
    std::uint32_t child(std::uint32_t node, unsigned char byte) const;  // 0: none
    std::vector<Node> nodes_ = std::vector<Node>(1);
    bool starts_[256] = {};
};

/// The rules are the tokenizers library's AddedVocabulary's: tokens keep the id their text has in the model's
/// vocabulary, else get the next free one.
class AddedTokens {
  public:
    /// May be called several times; then finish() once.
    void add(const std::vector<AddedToken>& tokens, const TokenModel& model, const std::string& file);
    void finish(const Normalizer* normalizer, const std::string& file);

    /// Cuts `text` at the tokens that are looked for in the text as it is (`normalized` false) or normalized
    /// (true).
    std::vector<Section> cut(std::string_view text, bool normalized, bool parse_special) const;
    bool any(bool normalized) const { return !(normalized ? normalized_ : plain_).empty(); }

    Token find(std::string_view content) const;  ///< -1 if absent
    const AddedToken* token(Token id) const;     ///< null if absent
    bool is_special(std::string_view content) const { return special_.count(std::string(content)) > 0; }
    std::int64_t id_end() const { return id_end_; }

  private:
    std::unordered_map<std::string, Token> ids_;
    std::unordered_map<Token, AddedToken> by_id_;
    std::unordered_set<std::string> special_;
    std::vector<AddedToken> special_order_,
        other_order_;  // in this order duplicates of one text are resolved
    std::int64_t id_end_ = 0;
    StringMatcher plain_, normalized_;
};

}  // namespace tinyllm
