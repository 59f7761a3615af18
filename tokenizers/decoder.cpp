// Semantics: https://github.com/huggingface/tokenizers, tokenizers/src/decoders.
#include "tokenizers/decoder.h"

#include <optional>
#include <utility>

#include "engine/fail.h"
#include "tokenizers/decode_text.h"
#include "tokenizers/regex.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

using Stages = std::vector<std::unique_ptr<DecodeStage>>;

/// Maps tokens one by one; behind a fusing stage there is only one token, known when it has ended.
class MapStage : public DecodeStage {
  public:
    explicit MapStage(bool fused) : fused_(fused) {}
    void push(std::string token) final {
        if (fused_) {
            whole_ += token;
        } else {
            next->push(map(std::move(token)));
        }
    }
    void finish() final {
        if (fused_) next->push(map(std::move(whole_)));
        next->finish();
    }

  protected:
    virtual std::string map(std::string token) = 0;

  private:
    bool fused_;
    std::string whole_;
};

class ReplaceDecoder : public Decoder {
  public:
    ReplaceDecoder(std::string literal, std::string content, const std::string& where)
        : content_(std::move(content)), literal_(std::move(literal)) {
        regex_.emplace(escape_regex(literal_), where);
    }
    explicit ReplaceDecoder(const JsonNode& node) : content_(node.string("content")) {
        const JsonNode pattern = node.get("pattern");
        const bool literal = pattern.has("String");
        regex_.emplace(literal ? escape_regex(pattern.string("String")) : pattern.string("Regex"),
                       pattern.where());
        if (literal) literal_ = pattern.string("String");
    }
    void add_stages(Stages& stages, bool& fused) const override {
        stages.push_back(std::make_unique<Stage>(*this, fused));
    }

  private:
    class Stage : public MapStage {
      public:
        Stage(const ReplaceDecoder& rule, bool fused) : MapStage(fused), rule_(rule) {}
        std::string map(std::string token) override {
            if (!rule_.literal_.empty() && token.find(rule_.literal_) == std::string::npos) return token;
            if (token.empty()) return token;
            std::string out;
            std::size_t done = 0;
            rule_.regex_->each_match(token, [&](std::size_t begin, std::size_t end) {
                out.append(token, done, begin - done);
                out += rule_.content_;
                done = end;
            });
            out.append(token, done, std::string::npos);
            return out;
        }

      private:
        const ReplaceDecoder& rule_;
    };
    std::string content_, literal_;
    std::optional<Regex> regex_;
};

class StripDecoder : public Decoder {
  public:
    StripDecoder(std::string content, std::size_t start, std::size_t stop)
        : content_(std::move(content)), start_(start), stop_(stop) {}
    explicit StripDecoder(const JsonNode& node)
        : content_(node.string("content")), start_(count(node.get("start"))), stop_(count(node.get("stop"))) {
        node.get("content").need(!content_.empty() && char_size(content_[0]) == content_.size(),
                                 "one character");
    }
    void add_stages(Stages& stages, bool& fused) const override {
        if (fused && stop_ == 0) {
            stages.push_back(std::make_unique<StartStage>(content_, start_));
        } else {
            stages.push_back(std::make_unique<Stage>(*this, fused));
        }
    }

  private:
    static std::size_t count(const JsonNode& node) {
        const std::int64_t n = node.integer();
        node.need(n >= 0, "no negative number");
        return static_cast<std::size_t>(n);
    }
    class Stage : public MapStage {
      public:
        Stage(const StripDecoder& rule, bool fused) : MapStage(fused), rule_(rule) {}
        std::string map(std::string token) override {
            const std::string& c = rule_.content_;
            std::size_t begin = 0, end = token.size();
            for (std::size_t i = 0; i < rule_.start_ && token.compare(begin, c.size(), c) == 0; ++i)
                begin += c.size();
            for (std::size_t i = 0; i < rule_.stop_ && end >= begin + c.size(); ++i) {
                if (token.compare(end - c.size(), c.size(), c) != 0) break;
                end -= c.size();
            }
            return token.substr(begin, end - begin);
        }

      private:
        const StripDecoder& rule_;
    };
    /// Strips the start of one token that comes in parts.
    class StartStage : public DecodeStage {
      public:
        StartStage(std::string content, std::size_t count) : content_(std::move(content)), left_(count) {}
        void push(std::string part) override {
            if (left_ == 0 && held_.empty()) {
                next->push(std::move(part));
                return;
            }
            held_ += part;
            while (left_ > 0 && held_.compare(0, content_.size(), content_) == 0) {
                held_.erase(0, content_.size());
                --left_;
            }
            if (left_ > 0 && held_.size() < content_.size()) return;  // may yet become the character
            left_ = 0;
            if (!held_.empty()) next->push(std::exchange(held_, {}));
        }
        void finish() override {
            if (!held_.empty()) next->push(std::move(held_));
            next->finish();
        }

      private:
        std::string content_, held_;
        std::size_t left_;
    };
    std::string content_;
    std::size_t start_, stop_;
};

/// "<0x0A>" is a byte. A run of them is text if it is valid UTF-8 as a whole, else one U+FFFD per byte.
class ByteFallbackStage : public DecodeStage {
  public:
    void push(std::string token) override {
        const int byte = value(token);
        if (byte >= 0) {
            run_.push_back(static_cast<char>(byte));
        } else {
            flush();
            next->push(std::move(token));
        }
    }
    void finish() override {
        flush();
        next->finish();
    }

  private:
    static int value(const std::string& token) {
        if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') return -1;
        int byte = 0;
        // Rust's from_str_radix takes a sign, so "<0x+A>" is a byte there.
        const std::size_t digits = token[3] == '+' ? 4 : 3;
        for (std::size_t i = digits; i < 5; ++i) {
            const char c = token[i];
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return -1;
            byte = byte * 16 + digit;
        }
        return byte;
    }
    void flush() {
        if (run_.empty()) return;
        if (is_valid_utf8(run_)) {
            next->push(run_);
        } else {
            for (std::size_t i = 0; i < run_.size(); ++i) next->push(std::string(kReplacement));
        }
        run_.clear();
    }
    std::string run_;
};

class ByteFallback : public Decoder {
  public:
    explicit ByteFallback(std::string where) : node_where_(std::move(where)) {}
    void add_stages(Stages& stages, bool& fused) const override {
        if (fused)
            fail(ErrorKind::unsupported, "{}: ByteFallback behind Fuse or ByteLevel is not supported",
                 node_where_);
        stages.push_back(std::make_unique<ByteFallbackStage>());
    }

  private:
    std::string node_where_;
};

class MetaspaceDecoder : public Decoder {
  public:
    explicit MetaspaceDecoder(const JsonNode& node) : mark_(node.string("replacement")) {
        node.get("replacement").need(!mark_.empty() && char_size(mark_[0]) == mark_.size(), "one character");
        const std::string scheme = node.has("prepend_scheme") ? node.string("prepend_scheme") : "always";
        if (scheme != "always" && scheme != "first" && scheme != "never") {
            node.get("prepend_scheme").unsupported("\"" + scheme + "\"");
        }
        strip_first_ = scheme != "never" && node.boolean("add_prefix_space", true);
    }
    void add_stages(Stages& stages, bool& fused) const override {
        stages.push_back(std::make_unique<Stage>(*this, fused));
    }

  private:
    class Stage : public MapStage {
      public:
        Stage(const MetaspaceDecoder& rule, bool fused)
            : MapStage(fused), rule_(rule), first_(rule.strip_first_) {}
        std::string map(std::string token) override {
            std::string out;
            for (std::size_t at = 0; at < token.size();) {
                if (token.compare(at, rule_.mark_.size(), rule_.mark_) == 0) {
                    if (!first_) out += ' ';
                    at += rule_.mark_.size();
                } else {
                    out += token[at++];
                }
            }
            first_ = false;
            return out;
        }

      private:
        const MetaspaceDecoder& rule_;
        bool first_;  // the first token loses all its marks
    };
    std::string mark_;
    bool strip_first_;
};

/// The end-of-word suffix becomes a space, and nothing in the last token.
class BpeDecoder : public Decoder {
  public:
    explicit BpeDecoder(const JsonNode& node) : suffix_(node.string("suffix")) {
        node.get("suffix").need(!suffix_.empty(), "a suffix");
    }
    void add_stages(Stages& stages, bool& fused) const override {
        stages.push_back(std::make_unique<Stage>(suffix_, fused));
    }

  private:
    class Stage : public DecodeStage {
      public:
        Stage(std::string suffix, bool fused) : suffix_(std::move(suffix)), fused_(fused) {}
        void push(std::string token) override {
            if (any_ && !fused_) next->push(replaced(" "));
            last_ = any_ && fused_ ? last_ + token : std::move(token);
            any_ = true;
        }
        void finish() override {
            if (any_) next->push(replaced(""));
            next->finish();
        }

      private:
        std::string replaced(std::string_view with) const {
            std::string out;
            std::size_t done = 0;
            for (std::size_t at = last_.find(suffix_); at != std::string::npos;
                 at = last_.find(suffix_, done)) {
                out.append(last_, done, at - done);
                out += with;
                done = at + suffix_.size();
            }
            return out.append(last_, done, std::string::npos);
        }
        std::string suffix_, last_;
        bool fused_, any_ = false;
    };
    std::string suffix_;
};

class SequenceDecoder : public Decoder {
  public:
    explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> parts) : parts_(std::move(parts)) {}
    explicit SequenceDecoder(const JsonNode& node) {
        for (const JsonNode& item : node.get("decoders").items()) {
            if (auto part = parse_decoder(item)) parts_.push_back(std::move(part));
        }
        Stages stages;
        bool fused = false;
        add_stages(stages, fused);  // refuses here what could not be built later
    }
    void add_stages(Stages& stages, bool& fused) const override {
        for (const auto& part : parts_) part->add_stages(stages, fused);
    }

  private:
    std::vector<std::unique_ptr<Decoder>> parts_;
};

class Fuse : public Decoder {
  public:
    void add_stages(Stages&, bool& fused) const override { fused = true; }
};

class ByteLevelDecoder : public Decoder {
  public:
    void add_stages(Stages& stages, bool& fused) const override {
        stages.push_back(make_byte_stage(fused));
        fused = true;
    }
};

}  // namespace

std::unique_ptr<Decoder> make_sentencepiece_decoder(bool strip, const std::string& file) {
    std::vector<std::unique_ptr<Decoder>> parts;
    parts.push_back(std::make_unique<ReplaceDecoder>(std::string(kMetaspace), " ", file));
    parts.push_back(std::make_unique<ByteFallback>(file));
    parts.push_back(std::make_unique<Fuse>());
    if (strip) parts.push_back(std::make_unique<StripDecoder>(" ", 1, 0));
    return std::make_unique<SequenceDecoder>(std::move(parts));
}

std::unique_ptr<Decoder> parse_decoder(const JsonNode& node) {
    if (node.is_null()) return nullptr;
    const std::string type = node.string("type");
    if (type == "Sequence") return std::make_unique<SequenceDecoder>(node);
    if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
    if (type == "Replace") return std::make_unique<ReplaceDecoder>(node);
    if (type == "ByteFallback") return std::make_unique<ByteFallback>(node.where());
    if (type == "Fuse") return std::make_unique<Fuse>();
    if (type == "Strip") return std::make_unique<StripDecoder>(node);
    if (type == "Metaspace") return std::make_unique<MetaspaceDecoder>(node);
    if (type == "BPEDecoder") return std::make_unique<BpeDecoder>(node);
    node.unsupported("decoder \"" + type + "\"");
}

}  // namespace tinyllm
