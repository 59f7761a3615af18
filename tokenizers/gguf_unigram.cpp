// llama.cpp's "t5" tokenizer. Source: llama.cpp, src/llama-vocab.cpp (UGM).
#include <algorithm>
#include <limits>

#include "engine/fail.h"
#include "tokenizers/gguf_tokens.h"
#include "tokenizers/precompiled.h"
#include "tokenizers/unigram.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

/// Not sentencepiece's own rules: with `merge_spaces` every word gets a mark in front, prefix or not; without
/// it the prefix stands before the first character that is no space, behind leading ones.
class UgmNormalizer : public Normalizer {
  public:
    UgmNormalizer(CharsMap chars, StringMatcher keep, bool prefix, bool merge_spaces)
        : chars_(std::move(chars)), keep_(std::move(keep)), prefix_(prefix), merge_spaces_(merge_spaces) {}

    void apply(NormalText& normal) const override {
        const std::string in = std::move(normal.text);
        const std::string_view text(in);
        std::string out;
        out.reserve(in.size() + in.size() / 2 + 3);
        auto kept = keep_.find(text, 0);
        bool prefixed = false, in_word = false;
        for (std::size_t at = 0; at < text.size();) {
            std::size_t size = char_size(text[at]);
            std::string_view part = text.substr(at, size);
            if (kept.value >= 0 && kept.begin < at) kept = keep_.find(text, at);
            if (kept.value >= 0 && kept.begin == at) {
                size = kept.end - at;
                part = text.substr(at, size);
            } else if (const auto m = chars_.match(text.substr(at), true)) {
                size = m->size;
                part = m->replacement;
            }
            at += size;
            for (const char c : part) {
                if (c == ' ') {
                    in_word = false;
                    if (!merge_spaces_) out += kMetaspace;
                    continue;
                }
                if (!in_word && (merge_spaces_ || (prefix_ && !prefixed))) {
                    out += kMetaspace;
                    prefixed = true;
                }
                in_word = true;
                out += c;
            }
        }
        normal.text = std::move(out);
    }

  private:
    CharsMap chars_;
    StringMatcher keep_;
    bool prefix_, merge_spaces_;
};

std::string read_chars_map(const GgufFile& file) {
    std::string bytes;
    if (const auto* values = file.integers("tokenizer.ggml.precompiled_charsmap")) {
        bytes.reserve(values->size());
        for (std::size_t i = 0; i < values->size(); ++i) {
            const std::int64_t value = (*values)[i];
            if (value < -128 || value > 255)
                fail(ErrorKind::corrupt, "{}: tokenizer.ggml.precompiled_charsmap: {} is no byte",
                     file.path(), value);
            bytes += static_cast<char>(value & 0xFF);
        }
    }
    return bytes;
}

}  // namespace

std::shared_ptr<const Tokenizer> load_gguf_unigram(const GgufFile& file, const GgufTokens& tokens) {
    const std::size_t count = tokens.text.size();
    const auto bos = gguf_token_key(file, "tokenizer.ggml.bos_token_id", count);
    const auto eos = gguf_token_key(file, "tokenizer.ggml.eos_token_id", count, 1);
    const SpPieces read = read_gguf_pieces(file, tokens);
    UnigramOptions options;
    options.unk = gguf_token_key(file, "tokenizer.ggml.unknown_token_id", count, 2);
    options.look_up_unknown = false;
    float lowest = std::numeric_limits<float>::max();
    std::vector<UnigramPiece> pieces;
    StringMatcher user_defined;
    for (std::size_t i = 0; i < count; ++i) {
        const PieceType type = read.type[i];
        const bool user = type == PieceType::user_defined;
        const bool matched = type == PieceType::normal || user || type == PieceType::unused;
        if (type == PieceType::normal) lowest = std::min(lowest, read.score[i]);
        if (user && !tokens.text[i].empty()) user_defined.add(tokens.text[i], static_cast<std::int32_t>(i));
        pieces.push_back({tokens.text[i], user ? 0.0 : static_cast<double>(read.score[i]), matched});
    }
    constexpr float kUnknownPenalty = 10;
    options.unk_score = static_cast<double>(lowest - kUnknownPenalty);

    PipelineParts parts;
    parts.model = std::make_unique<Unigram>(pieces, options, file.path());
    const bool prefix = file.boolean("tokenizer.ggml.add_space_prefix", false);
    const bool merge_spaces = file.boolean("tokenizer.ggml.remove_extra_whitespaces", false);
    const std::string where = file.path() + ": tokenizer.ggml.precompiled_charsmap";
    parts.normalizer = std::make_unique<UgmNormalizer>(CharsMap::from_bytes(read_chars_map(file), where),
                                                       std::move(user_defined), prefix, merge_spaces);
    parts.decoder = make_sentencepiece_decoder(prefix, file.path());
    parts.added.add(gguf_added_tokens(tokens), *parts.model, file.path());
    parts.added.finish(nullptr, file.path());
    const auto list = [](bool wanted, std::optional<Token> id) {
        return wanted && id ? std::vector<Token>{*id} : std::vector<Token>();
    };
    parts.post_processor = PostProcessor(list(file.boolean("tokenizer.ggml.add_bos_token", false), bos),
                                         list(file.boolean("tokenizer.ggml.add_eos_token", true), eos));
    return std::make_shared<Pipeline>(std::move(parts), gguf_extras(tokens, bos, eos));
}

}  // namespace tinyllm
