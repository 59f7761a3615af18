#include "tokenizers/pipeline.h"

#include <algorithm>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

constexpr std::size_t kMaxText = std::size_t{1}
                                 << 30;  // positions are 32 bits, and text may grow threefold on the way

}  // namespace

class Pipeline::Stream : public TextStream {
  public:
    Stream(const Pipeline& pipeline, DecodeOptions options)
        : pipeline_(pipeline), options_(options), chain_(pipeline.parts_.decoder.get(), pipeline.clean_up_) {}

    void push(Token token) {
        bool known = false;
        std::string text = pipeline_.spelling(token, known);
        if (!known || (options_.skip_special && pipeline_.parts_.added.is_special(text))) return;
        chain_.push(std::move(text));
    }
    std::string append(Token token) override {
        push(token);
        return chain_.take();
    }
    std::string finish() override {
        chain_.finish();
        return chain_.take();
    }

  private:
    const Pipeline& pipeline_;
    DecodeOptions options_;
    DecodeChain chain_;
};

Pipeline::Pipeline(PipelineParts parts, const TokenizerExtras& extras)
    : parts_(std::move(parts)), clean_up_(extras.clean_up) {
    if (extras.bos) bos_ = find(*extras.bos);
    if (extras.eos) eos_ = find(*extras.eos);
}

void Pipeline::encode_words(std::string_view text, bool at_start, std::vector<Token>& out) const {
    if (!parts_.pre_tokenizer) {
        if (!text.empty()) parts_.model->encode(text, out);
        return;
    }
    Words words{std::string(text), {}, at_start};
    if (!text.empty()) words.spans.push_back({0, static_cast<std::uint32_t>(text.size())});
    parts_.pre_tokenizer->apply(words);
    out.reserve(out.size() + words.spans.size() + words.spans.size() / 4);
    for (const Span word : words.spans) parts_.model->encode(words.view(word), out);
}

void Pipeline::encode_text(std::string text, bool at_start, bool parse_special,
                           std::vector<Token>& out) const {
    NormalText normal{std::move(text), at_start};
    if (parts_.normalizer) parts_.normalizer->apply(normal);
    if (!parts_.added.any(true)) {
        encode_words(normal.text, normal.at_start, out);
        return;
    }
    for (const Section& s : parts_.added.cut(normal.text, true, parse_special)) {
        if (s.token >= 0) {
            out.push_back(s.token);
        } else {
            encode_words(std::string_view(normal.text).substr(s.begin, s.end - s.begin),
                         normal.at_start && s.begin == 0, out);
        }
    }
}

std::vector<Token> Pipeline::encode(std::string_view text, EncodeOptions options) const {
    if (text.size() > kMaxText)
        fail(ErrorKind::usage, "text of {} bytes: more than {} cannot be tokenized", text.size(), kMaxText);
    std::string repaired;
    if (!is_valid_utf8(text)) text = repaired = repair_utf8(text);
    std::vector<Token> out;
    const bool direct = !parts_.added.any(true) &&
                        (!parts_.normalizer || (parts_.normalizer->keeps_ascii() && is_ascii(text)));
    for (const Section& s : parts_.added.cut(text, false, options.parse_special)) {
        const std::string_view part = text.substr(s.begin, s.end - s.begin);
        if (s.token >= 0) {
            out.push_back(s.token);
        } else if (direct) {
            encode_words(part, s.begin == 0, out);
        } else {
            encode_text(std::string(part), s.begin == 0, options.parse_special, out);
        }
    }
    parts_.post_processor.apply(out, options.add_special);
    return out;
}

std::string Pipeline::spelling(Token token, bool& known) const {
    known = true;
    if (const AddedToken* added = parts_.added.token(token)) return added->content;
    known = parts_.model->vocab().has(token);
    return parts_.model->vocab().piece(token);
}

std::string Pipeline::decode(std::span<const Token> tokens, DecodeOptions options) const {
    Stream stream(*this, options);
    for (const Token token : tokens) stream.push(token);
    return stream.finish();
}

std::unique_ptr<TextStream> Pipeline::stream(DecodeOptions options) const {
    return std::make_unique<Stream>(*this, options);
}

std::string Pipeline::piece(Token token) const {
    bool known = false;
    return spelling(token, known);
}

std::optional<Token> Pipeline::find(std::string_view piece) const {
    Token id = parts_.added.find(piece);
    if (id < 0) id = parts_.model->vocab().find(piece);
    return id < 0 ? std::nullopt : std::optional<Token>(id);
}

std::int64_t Pipeline::vocab_size() const {
    return std::max(parts_.model->vocab().id_end(), parts_.added.id_end());
}

bool Pipeline::is_special(Token token) const {
    bool known = false;
    const std::string text = spelling(token, known);
    return known && parts_.added.is_special(text);
}

}  // namespace tinyllm
