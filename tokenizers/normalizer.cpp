// Semantics: https://github.com/huggingface/tokenizers, tokenizers/src/normalizers.
#include "tokenizers/normalizer.h"

#include <optional>

#include "tokenizers/byte_level.h"
#include "tokenizers/precompiled.h"
#include "tokenizers/regex.h"
#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

class SequenceNormalizer : public Normalizer {
  public:
    explicit SequenceNormalizer(const JsonNode& node) {
        for (const JsonNode& item : node.get("normalizers").items()) {
            if (auto part = parse_normalizer(item)) parts_.push_back(std::move(part));
        }
    }
    void apply(NormalText& text) const override {
        for (const auto& part : parts_) part->apply(text);
    }
    bool keeps_ascii() const override {
        for (const auto& part : parts_) {
            if (!part->keeps_ascii()) return false;
        }
        return true;
    }

  private:
    std::vector<std::unique_ptr<Normalizer>> parts_;
};

class UnicodeNormalizer : public Normalizer {
  public:
    explicit UnicodeNormalizer(NormalForm form) : form_(form) {}
    void apply(NormalText& text) const override {
        if (!is_ascii(text.text)) text.text = normalize(text.text, form_);
    }
    bool keeps_ascii() const override { return true; }

  private:
    NormalForm form_;
};

/// Maps every character by a function that appends its replacement.
class MapNormalizer : public Normalizer {
  public:
    using Map = void (*)(std::string& out, char32_t code);
    MapNormalizer(Map map, bool keeps_ascii) : map_(map), keeps_ascii_(keeps_ascii) {}
    void apply(NormalText& text) const override {
        std::string out;
        out.reserve(text.text.size());
        const char* p = text.text.data();
        const char* const end = p + text.text.size();
        for (bool first = true; p < end; first = false) {
            const Utf8Char c = next_char(p);
            map_(out, c.code);
            if (first && out.empty()) text.at_start = false;
            p += c.size;
        }
        text.text = std::move(out);
    }
    bool keeps_ascii() const override { return keeps_ascii_; }

  private:
    Map map_;
    bool keeps_ascii_;
};

void strip_accent(std::string& out, char32_t code) {
    if (!is_mark(code)) append_utf8(out, code);
}

void nmt(std::string& out, char32_t c) {
    if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
        return;
    const bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    append_utf8(out, space ? U' ' : c);
}

class StripNormalizer : public Normalizer {
  public:
    explicit StripNormalizer(const JsonNode& node)
        : left_(node.boolean("strip_left")), right_(node.boolean("strip_right")) {}
    void apply(NormalText& text) const override {
        const std::string& s = text.text;
        std::size_t begin = 0, end = 0;
        bool seen = false;
        for (std::size_t at = 0; at < s.size();) {
            const Utf8Char c = next_char(s.data() + at);
            if (!is_space(c.code)) {
                if (!seen) begin = at;
                seen = true;
                end = at + c.size;
            }
            at += c.size;
        }
        if (!left_) begin = 0;
        if (!right_) end = s.size();
        if (!seen) begin = end = 0;
        if (begin > 0) text.at_start = false;
        text.text = s.substr(begin, end - begin);
    }

  private:
    bool left_, right_;
};

class PrependNormalizer : public Normalizer {
  public:
    explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
    void apply(NormalText& text) const override {
        if (!text.text.empty()) text.text.insert(0, prefix_);
    }

  private:
    std::string prefix_;
};

class ReplaceNormalizer : public Normalizer {
  public:
    explicit ReplaceNormalizer(const JsonNode& node) : content_(node.string("content")) {
        const JsonNode pattern = node.get("pattern");
        if (pattern.has("String")) {
            literal_ = pattern.string("String");
            if (literal_.empty()) pattern.unsupported("an empty string to replace");
        } else if (pattern.has("Regex")) {
            regex_.emplace(pattern.string("Regex"), pattern.where());
        } else {
            pattern.need(false, "String or Regex");
        }
    }
    void apply(NormalText& text) const override {
        const std::string& s = text.text;
        std::string out;
        std::size_t done = 0;
        const auto replace = [&](std::size_t begin, std::size_t end) {
            if (begin == 0 && end > char_size(s[0])) text.at_start = false;
            out.append(s, done, begin - done);
            out += content_;
            done = end;
        };
        if (s.empty()) return;
        if (regex_) {
            regex_->each_match(s, replace);
        } else {
            for (std::size_t at = s.find(literal_); at != std::string::npos;
                 at = s.find(literal_, at + literal_.size())) {
                replace(at, at + literal_.size());
            }
        }
        if (done == 0 && out.empty()) return;
        out.append(s, done, std::string::npos);
        text.text = std::move(out);
    }
    bool keeps_ascii() const override { return !regex_ && !is_ascii(literal_); }

  private:
    std::string literal_, content_;
    std::optional<Regex> regex_;
};

class ByteLevelNormalizer : public Normalizer {
  public:
    void apply(NormalText& text) const override { text.text = to_byte_level(text.text); }
};

class PrecompiledNormalizer : public Normalizer {
  public:
    explicit PrecompiledNormalizer(const JsonNode& node)
        : map_(CharsMap::from_bytes(decode_base64(node.string("precompiled_charsmap"), node.where()),
                                    node.where())) {}
    void apply(NormalText& text) const override { text.text = map_.normalize_graphemes(text.text); }

  private:
    CharsMap map_;
};

}  // namespace

std::unique_ptr<Normalizer> parse_normalizer(const JsonNode& node) {
    if (node.is_null()) return nullptr;
    const std::string type = node.string("type");
    if (type == "Sequence") return std::make_unique<SequenceNormalizer>(node);
    if (type == "NFC") return std::make_unique<UnicodeNormalizer>(NormalForm::nfc);
    if (type == "NFD") return std::make_unique<UnicodeNormalizer>(NormalForm::nfd);
    if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(NormalForm::nfkc);
    if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(NormalForm::nfkd);
    if (type == "Lowercase") return std::make_unique<MapNormalizer>(append_lowercase, false);
    if (type == "StripAccents") return std::make_unique<MapNormalizer>(strip_accent, true);
    if (type == "Nmt") return std::make_unique<MapNormalizer>(nmt, false);
    if (type == "Strip") return std::make_unique<StripNormalizer>(node);
    if (type == "Prepend") return std::make_unique<PrependNormalizer>(node.string("prepend"));
    if (type == "Replace") return std::make_unique<ReplaceNormalizer>(node);
    if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
    if (type == "Precompiled") return std::make_unique<PrecompiledNormalizer>(node);
    node.unsupported("normalizer \"" + type + "\"");
}

}  // namespace tinyllm
