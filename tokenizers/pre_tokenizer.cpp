// Semantics: https://github.com/huggingface/tokenizers, tokenizers/src/pre_tokenizers.
#include "tokenizers/pre_tokenizer.h"

#include <optional>

#include "tokenizers/byte_level.h"
#include "tokenizers/regex.h"
#include "tokenizers/split_patterns.h"
#include "tokenizers/splitting.h"
#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

class SequencePreTokenizer : public PreTokenizer {
  public:
    explicit SequencePreTokenizer(const JsonNode& node) {
        for (const JsonNode& item : node.get("pretokenizers").items()) {
            if (auto part = parse_pre_tokenizer(item)) parts_.push_back(std::move(part));
        }
    }
    void apply(Words& words) const override {
        for (const auto& part : parts_) part->apply(words);
    }
    bool ends_in_byte_level() const override {
        return !parts_.empty() && parts_.back()->ends_in_byte_level();
    }
    void leave_bytes() override { parts_.back()->leave_bytes(); }

  private:
    std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

/// Every text is cut into matches without gaps, so each match is a word.
void isolate(Words& words, Matcher matcher) {
    std::vector<Span> out;
    out.reserve(words.text.size() / 4 + words.spans.size());
    for (const Span word : words.spans) {
        const std::string_view text = words.view(word);
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = matcher(text, at);
            out.push_back(
                {static_cast<std::uint32_t>(word.begin + at), static_cast<std::uint32_t>(word.begin + end)});
            at = end;
        }
    }
    words.spans = std::move(out);
}

/// Rewrites every word by `edit(word, out)`, which appends its new text.
template <typename Edit>
void rewrite(Words& words, Edit&& edit) {
    std::string text;
    text.reserve(words.text.size() + words.text.size() / 4 + 8);
    for (Span& word : words.spans) {
        const auto begin = static_cast<std::uint32_t>(text.size());
        edit(words.view(word), text);
        word = {begin, static_cast<std::uint32_t>(text.size())};
    }
    words.text = std::move(text);
}

class ByteLevel : public PreTokenizer {
  public:
    explicit ByteLevel(const JsonNode& node)
        : prefix_(node.boolean("add_prefix_space")), split_(node.boolean("use_regex", true)) {}
    void apply(Words& words) const override {
        if (prefix_) {
            rewrite(words, [](std::string_view word, std::string& out) {
                if (word[0] != ' ') out += ' ';
                out += word;
            });
        }
        if (split_) isolate(words, match_gpt2);
        if (!bytes_) {
            rewrite(words, [](std::string_view word, std::string& out) { out += to_byte_level(word); });
        }
    }
    bool ends_in_byte_level() const override { return true; }
    void leave_bytes() override { bytes_ = true; }

  private:
    bool prefix_, split_;
    bool bytes_ = false;
};

class Split : public PreTokenizer {
  public:
    explicit Split(const JsonNode& node)
        : behavior_(parse_behavior(node.get("behavior"))), invert_(node.boolean("invert")) {
        const JsonNode pattern = node.get("pattern");
        std::string regex;
        if (pattern.has("Regex")) {
            regex = pattern.string("Regex");
        } else if (pattern.has("String")) {
            regex = escape_regex(pattern.string("String"));
        } else {
            pattern.need(false, "String or Regex");
        }
        // All parts of the text are matches, so the behaviours that only look at what is no match keep each
        // match whole.
        const bool whole =
            behavior_ == SplitBehavior::isolated || (behavior_ == SplitBehavior::removed && invert_);
        if (whole) matcher_ = find_matcher(regex);
        if (!matcher_) regex_.emplace(regex, pattern.where());
    }
    void apply(Words& words) const override {
        if (matcher_) {
            isolate(words, matcher_);
        } else {
            split_words(words, behavior_, invert_,
                        [this](std::string_view word, auto&& match) { regex_->each_match(word, match); });
        }
    }

  private:
    SplitBehavior behavior_;
    bool invert_;
    Matcher matcher_ = nullptr;
    std::optional<Regex> regex_;
};

/// Delimiters are the characters of a class.
class CharSplit : public PreTokenizer {
  public:
    using Test = bool (*)(char32_t);
    CharSplit(Test test, SplitBehavior behavior) : test_(test), behavior_(behavior) {}
    void apply(Words& words) const override {
        split_words(words, behavior_, false, [this](std::string_view word, auto&& match) {
            for (std::size_t at = 0; at < word.size();) {
                const Utf8Char c = next_char(word.data() + at);
                if (test_(c.code)) match(at, at + c.size);
                at += c.size;
            }
        });
    }

  private:
    Test test_;
    SplitBehavior behavior_;
};

/// \w+|[^\w\s]+
class Whitespace : public PreTokenizer {
  public:
    void apply(Words& words) const override {
        const auto kind = [](char32_t c) { return is_word(c) ? 1 : is_space(c) ? 0 : 2; };
        split_words(words, SplitBehavior::removed, true, [&](std::string_view word, auto&& match) {
            for (std::size_t at = 0; at < word.size();) {
                const Utf8Char first = next_char(word.data() + at);
                const int k = kind(first.code);
                std::size_t end = at + first.size;
                while (end < word.size()) {
                    const Utf8Char c = next_char(word.data() + end);
                    if (kind(c.code) != k) break;
                    end += c.size;
                }
                if (k != 0) match(at, end);
                at = end;
            }
        });
    }
};

class Metaspace : public PreTokenizer {
  public:
    explicit Metaspace(const JsonNode& node) : mark_(node.string("replacement")) {
        node.get("replacement").need(!mark_.empty() && char_size(mark_[0]) == mark_.size(), "one character");
        scheme_ = node.has("prepend_scheme") ? node.string("prepend_scheme") : "always";
        if (scheme_ != "always" && scheme_ != "first" && scheme_ != "never") {
            node.get("prepend_scheme").unsupported("\"" + scheme_ + "\"");
        }
        if (!node.boolean("add_prefix_space", true)) {
            if (node.has("prepend_scheme") && scheme_ != "never") {
                node.unsupported("add_prefix_space false with prepend_scheme \"" + scheme_ + "\"");
            }
            scheme_ = "never";
        }
        split_ = node.boolean("split", true);
    }
    void apply(Words& words) const override {
        bool first = words.at_start;
        rewrite(words, [&](std::string_view word, std::string& out) {
            const bool marked = word[0] == ' ' || word.substr(0, mark_.size()) == mark_;
            if (!marked && (scheme_ == "always" || (scheme_ == "first" && first))) out += mark_;
            for (const char c : word) {
                if (c == ' ') {
                    out += mark_;
                } else {
                    out += c;
                }
            }
            first = false;
        });
        if (!split_) return;
        split_words(words, SplitBehavior::merged_with_next, false,
                    [this](std::string_view word, auto&& match) {
                        for (std::size_t at = word.find(mark_); at != std::string_view::npos;
                             at = word.find(mark_, at + mark_.size())) {
                            match(at, at + mark_.size());
                        }
                    });
    }

  private:
    std::string mark_;
    std::string scheme_;
    bool split_;
};

}  // namespace

std::unique_ptr<PreTokenizer> parse_pre_tokenizer(const JsonNode& node) {
    if (node.is_null()) return nullptr;
    const std::string type = node.string("type");
    if (type == "Sequence") return std::make_unique<SequencePreTokenizer>(node);
    if (type == "ByteLevel") return std::make_unique<ByteLevel>(node);
    if (type == "Split") return std::make_unique<Split>(node);
    if (type == "Metaspace") return std::make_unique<Metaspace>(node);
    if (type == "Whitespace") return std::make_unique<Whitespace>();
    if (type == "WhitespaceSplit") return std::make_unique<CharSplit>(is_space, SplitBehavior::removed);
    if (type == "Digits") {
        const bool single = node.boolean("individual_digits");
        return std::make_unique<CharSplit>(is_numeric,
                                           single ? SplitBehavior::isolated : SplitBehavior::contiguous);
    }
    if (type == "Punctuation") {
        const auto behavior =
            node.has("behavior") ? parse_behavior(node.get("behavior")) : SplitBehavior::isolated;
        return std::make_unique<CharSplit>(is_punctuation, behavior);
    }
    node.unsupported("pre_tokenizer \"" + type + "\"");
}

}  // namespace tinyllm
