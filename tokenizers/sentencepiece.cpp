#include "tokenizers/sentencepiece.h"

#include <cstring>

#include "engine/fail.h"
#include "tokenizers/sp_normalizer.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

/// Fields of one protobuf message. Encoding: https://protobuf.dev/programming-guides/encoding
class Message {
  public:
    Message(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

    /// False at the end; else field() and the value of the wire type that was found are set.
    bool next() {
        if (at_ == bytes_.size()) return false;
        const std::uint64_t tag = varint();
        field_ = static_cast<int>(tag >> 3 & 0x1FFFFFFF);
        switch (tag & 7) {
            case 0:
                number_ = varint();
                return true;
            case 1:
                take(8);
                return true;
            case 2: {
                const std::uint64_t size = varint();
                data_ = take(size);
                return true;
            }
            case 5: {
                std::memcpy(&float_, take(4).data(), 4);
                return true;
            }
            default:
                fail(ErrorKind::corrupt, "{}: byte {}: wire type {} is none of protobuf's", file_, at_,
                     tag & 7);
        }
    }
    int field() const { return field_; }
    std::uint64_t number() const { return number_; }
    float real() const { return float_; }
    std::string_view data() const { return data_; }

  private:
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (at_ == bytes_.size()) fail(ErrorKind::corrupt, "{}: ends within a number", file_);
            const auto byte = static_cast<unsigned char>(bytes_[at_++]);
            value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        fail(ErrorKind::corrupt, "{}: byte {}: a number of more than 10 bytes", file_, at_);
    }
    std::string_view take(std::uint64_t size) {
        if (size > bytes_.size() - at_) {
            fail(ErrorKind::corrupt, "{}: byte {}: a field of {} bytes where {} are left", file_, at_, size,
                 bytes_.size() - at_);
        }
        const std::string_view part = bytes_.substr(at_, static_cast<std::size_t>(size));
        at_ += static_cast<std::size_t>(size);
        return part;
    }
    std::string_view bytes_;
    const std::string& file_;
    std::size_t at_ = 0;
    int field_ = 0;
    std::uint64_t number_ = 0;
    float float_ = 0;
    std::string_view data_;
};

void read_piece(std::string_view bytes, const std::string& file, SpPieces& pieces) {
    std::string text;
    float score = 0;
    std::uint64_t type = 1;
    for (Message m(bytes, file); m.next();) {
        if (m.field() == 1) text = m.data();
        if (m.field() == 2) score = m.real();
        if (m.field() == 3) type = m.number();
    }
    if (type < 1 || type > 6)
        fail(ErrorKind::corrupt, "{}: piece {}: type {} is unknown", file, pieces.size(), type);
    pieces.text.push_back(std::move(text));
    pieces.score.push_back(score);
    pieces.type.push_back(static_cast<PieceType>(type));
}

}  // namespace

SentencepieceModel parse_sentencepiece(std::string_view bytes, const std::string& file) {
    SentencepieceModel model;
    for (Message m(bytes, file); m.next();) {
        if (m.field() == 1) {
            if (model.pieces.size() > static_cast<std::size_t>(Vocab::kMaxId))
                fail(ErrorKind::corrupt, "{}: too many pieces", file);
            read_piece(m.data(), file, model.pieces);
        } else if (m.field() == 2) {
            for (Message t(m.data(), file); t.next();) {
                if (t.field() == 3) model.model_type = static_cast<int>(t.number());
                if (t.field() == 24) model.space_as_suffix = t.number() != 0;
                if (t.field() == 40) model.unk_id = static_cast<std::int32_t>(t.number());
                if (t.field() == 35) model.byte_fallback = t.number() != 0;
            }
        } else if (m.field() == 3) {
            for (Message n(m.data(), file); n.next();) {
                if (n.field() == 2) model.chars_map = n.data();
                if (n.field() == 3) model.dummy_prefix = n.number() != 0;
                if (n.field() == 4) model.remove_extra_spaces = n.number() != 0;
                if (n.field() == 5) model.escape_spaces = n.number() != 0;
            }
        }
    }
    if (model.pieces.size() == 0) fail(ErrorKind::corrupt, "{}: no pieces; not a sentencepiece model", file);
    return model;
}

void check_sentencepiece_type(const SentencepieceModel& model, int type, const std::string& file) {
    if (model.model_type == type) return;
    static const char* const kNames[] = {"0", "unigram", "BPE", "word", "char"};
    const int found = model.model_type;
    fail(ErrorKind::unsupported, "{}: sentencepiece model type {} is not supported here, only {}", file,
         found >= 1 && found <= 4 ? kNames[found] : "unknown", kNames[type]);
}

std::shared_ptr<const Tokenizer> build_sentencepiece(const SentencepieceModel& model,
                                                     const HfTokenizerFiles& files, const std::string& file) {
    check_sentencepiece_type(model, 2, file);
    TokenizerExtras extras;
    extras.clean_up = files.flag("clean_up_tokenization_spaces", false);
    SpBpeOptions options;
    options.byte_fallback = model.byte_fallback;
    std::vector<AddedToken> added;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        const PieceType type = model.pieces.type[i];
        if (type == PieceType::unknown) options.unk = static_cast<Token>(i);
        if (type == PieceType::unknown || type == PieceType::control) {
            AddedToken token;
            token.content = model.pieces.text[i];
            token.special = true;
            token.normalized = false;
            added.push_back(std::move(token));
        }
    }
    auto bpe = std::make_unique<SpBpe>(model.pieces, options, file);

    SpNormalizerOptions rules;
    rules.chars = CharsMap::from_bytes(model.chars_map, file);
    rules.only_at_start = !files.flag("legacy", true);
    // Without "legacy" the class puts the prefix there itself, whatever the model says.
    rules.dummy_prefix = files.flag("add_prefix_space", model.dummy_prefix || rules.only_at_start);
    rules.remove_extra_spaces = model.remove_extra_spaces;
    rules.escape_spaces = model.escape_spaces;
    rules.space_as_suffix = model.space_as_suffix;

    const bool strip =
        files.flag("add_prefix_space", files.tokenizer_config.is_object() || model.dummy_prefix);
    PipelineParts parts;
    parts.normalizer = std::make_unique<SpNormalizer>(std::move(rules), bpe->user_defined());
    parts.decoder = make_sentencepiece_decoder(strip, file);
    parts.model = std::move(bpe);

    TokenizerSpec none;
    none.file = file;
    const TokenizerExtras named = apply_hf_rules(files, none);
    const auto special = [&](const std::optional<std::string>& text, const char* fallback) {
        if (text) return text;
        const bool known = parts.model->vocab().find(fallback) >= 0;
        return known ? std::optional<std::string>(fallback) : std::nullopt;
    };
    extras.bos = special(named.bos, "<s>");
    extras.eos = special(named.eos, "</s>");
    for (AddedToken token : named.added) {
        token.normalized = false;  // LlamaTokenizer looks for them in the text as it is
        added.push_back(std::move(token));
    }
    parts.added.add(added, *parts.model, file);
    parts.added.finish(nullptr, file);

    const auto ids = [&](const char* flag, bool otherwise, const std::optional<std::string>& text) {
        std::vector<Token> one;
        if (!files.flag(flag, otherwise)) return one;
        Token id = text ? parts.added.find(*text) : -1;
        if (id < 0 && text) id = parts.model->vocab().find(*text);
        if (id < 0) fail(ErrorKind::corrupt, "{}: {} is true, but there is no such token", file, flag);
        one.push_back(id);
        return one;
    };
    parts.post_processor =
        PostProcessor(ids("add_bos_token", true, extras.bos), ids("add_eos_token", false, extras.eos));
    return std::make_shared<Pipeline>(std::move(parts), extras);
}

}  // namespace tinyllm
