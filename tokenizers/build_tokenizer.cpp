// From tokenizer.json's sections to a Pipeline. Truncation and padding sections are not applied:
// transformers' encode() of one text switches both off.
#include <algorithm>
#include <limits>

#include "engine/fail.h"
#include "tokenizers/bpe.h"
#include "tokenizers/json_node.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/tokenizer_spec.h"
#include "tokenizers/unigram.h"

namespace tinyllm {
namespace {

std::string optional_string(const JsonNode& node, std::string_view key) {
    return node.has(key) ? node.string(key) : "";
}

/// `bytes`: words come in raw bytes if the model can take them; then whether it does.
std::unique_ptr<Bpe> build_bpe(const TokenizerSpec& spec, const JsonNode& node, bool& bytes) {
    if (!spec.has_vocab || !spec.has_merges || spec.scored) {
        fail(ErrorKind::corrupt, "{}: model: expected vocab and merges", spec.file);
    }
    if (node.has("dropout") && node.get("dropout").number() != 0)
        node.get("dropout").unsupported("dropout, which is random,");
    BpeOptions options;
    if (node.has("unk_token")) options.unk_token = node.string("unk_token");
    options.continuing_subword_prefix = optional_string(node, "continuing_subword_prefix");
    options.end_of_word_suffix = optional_string(node, "end_of_word_suffix");
    options.fuse_unk = node.boolean("fuse_unk", false);
    options.byte_fallback = node.boolean("byte_fallback", false);
    options.ignore_merges = node.boolean("ignore_merges", false);

    bytes = bytes && Bpe::reads_bytes(options);
    Vocab vocab(bytes ? Vocab::Held::bytes : Vocab::Held::spellings);
    vocab.reserve(spec.vocab.size(), spec.vocab.bytes());
    for (std::size_t i = 0; i < spec.vocab.size(); ++i) vocab.add(spec.vocab[i], spec.id(i), spec.file);
    return std::make_unique<Bpe>(std::move(vocab), spec.merges, std::move(options), spec.file);
}

std::unique_ptr<Unigram> build_unigram(const TokenizerSpec& spec, const JsonNode& node) {
    if (!spec.has_vocab || !spec.scored)
        fail(ErrorKind::corrupt, "{}: model.vocab: expected a list of pairs of piece and score", spec.file);
    UnigramOptions options;
    options.byte_fallback = node.boolean("byte_fallback", false);
    if (node.has("unk_id")) {
        const JsonNode id = node.get("unk_id");
        const std::int64_t value = id.integer();
        id.need(value >= 0 && static_cast<std::size_t>(value) < spec.vocab.size(),
                "an index of the vocabulary");
        options.unk = static_cast<Token>(value);
    }
    std::vector<UnigramPiece> pieces;
    pieces.reserve(spec.vocab.size());
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < spec.vocab.size(); ++i) {
        pieces.push_back({spec.vocab[i], spec.scores[i]});
        lowest = std::min(lowest, spec.scores[i]);
    }
    constexpr double kUnknownPenalty = 10;
    options.unk_score = lowest - kUnknownPenalty;
    return std::make_unique<Unigram>(pieces, options, spec.file);
}

std::vector<AddedToken> parse_added(const JsonNode& node) {
    std::vector<AddedToken> tokens;
    if (node.is_null()) return tokens;
    for (const JsonNode& item : node.items()) {
        AddedToken t;
        t.content = item.string("content");
        t.single_word = item.boolean("single_word", false);
        t.lstrip = item.boolean("lstrip", false);
        t.rstrip = item.boolean("rstrip", false);
        t.special = item.boolean("special", false);
        t.normalized = item.boolean("normalized", !t.special);
        tokens.push_back(std::move(t));
    }
    return tokens;
}

}  // namespace

std::shared_ptr<const Tokenizer> build_tokenizer(const TokenizerSpec& spec, const TokenizerExtras& extras) {
    const JsonNode root(spec.root, spec.file);
    if (root.has("version") && root.string("version") != "1.0")
        root.get("version").unsupported("version " + root.string("version"));
    PipelineParts parts;
    const JsonNode model = root.get("model");
    // Older files do not name the type.
    std::string type = spec.has_merges ? "BPE" : spec.scored ? "Unigram" : "without merges";
    if (const JsonNode named = model.get("type"); !named.is_null()) type = named.string();
    if (type != "BPE" && type != "Unigram") model.unsupported("model type \"" + type + "\"");
    parts.normalizer = parse_normalizer(root.get("normalizer"));
    parts.pre_tokenizer = parse_pre_tokenizer(root.get("pre_tokenizer"));
    if (type == "BPE") {
        bool bytes = parts.pre_tokenizer && parts.pre_tokenizer->ends_in_byte_level();
        parts.model = build_bpe(spec, model, bytes);
        if (bytes) parts.pre_tokenizer->leave_bytes();
    } else {
        parts.model = build_unigram(spec, model);
    }
    if (!extras.replaces_post_processor) parts.post_processor = PostProcessor(root.get("post_processor"));
    parts.decoder = parse_decoder(root.get("decoder"));
    parts.added.add(parse_added(root.get("added_tokens")), *parts.model, spec.file);
    parts.added.add(extras.added, *parts.model, spec.file);
    parts.added.finish(parts.normalizer.get(), spec.file);
    if (extras.replaces_post_processor) {
        const auto ids = [&](const std::optional<std::string>& text) {
            std::vector<Token> one;
            if (!text) return one;
            Token id = parts.added.find(*text);
            if (id < 0) id = parts.model->vocab().find(*text);
            if (id < 0)
                fail(ErrorKind::corrupt, "{}: special token \"{}\" is not in the vocabulary", spec.file,
                     *text);
            one.push_back(id);
            return one;
        };
        parts.post_processor = PostProcessor(ids(extras.before), ids(extras.after));
    }
    return std::make_shared<Pipeline>(std::move(parts), extras);
}

}  // namespace tinyllm
