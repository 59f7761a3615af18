#include "tokenizers/gguf_tokenizer.h"

#include <cmath>

#include "engine/fail.h"
#include "engine/printable.h"
#include "tokenizers/gguf_pre.h"
#include "tokenizers/gguf_tokens.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/sp_normalizer.h"
#include "tokenizers/tokenizer_spec.h"

namespace tinyllm {
namespace {

using nlohmann::json;

void add_vocab(const GgufTokens& tokens, TokenizerSpec& spec) {
    spec.start_vocab(false);
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        if (tokens.type[i] != PieceType::unused) spec.add_token(tokens.text[i], static_cast<std::int64_t>(i));
    }
}

void add_merges(const GgufFile& file, TokenizerSpec& spec) {
    const auto* merges = file.strings("tokenizer.ggml.merges");
    if (!merges)
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.merges: expected a list of strings, found none",
             file.path());
    spec.has_merges = true;
    spec.merges.clear();
    spec.merges.reserve(merges->size() * 2, merges->bytes().size() - merges->size() * sizeof(std::uint64_t));
    for (const std::string_view line : *merges) {
        const std::size_t space = line.size() < 2 ? std::string_view::npos : line.find(' ', 1);
        if (space == std::string_view::npos)
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.merges[{}]: expected two tokens", file.path(),
                 spec.merges.size() / 2);
        spec.add_merge(line.substr(0, space), line.substr(space + 1));
    }
}

json added_tokens(const GgufTokens& tokens) {
    json added = json::array();
    for (const AddedToken& token : gguf_added_tokens(tokens))
        added.push_back({{"content", token.content}, {"special", token.special}, {"normalized", false}});
    return added;
}

json around(std::optional<Token> before, std::optional<Token> after) {
    json single = json::array(), special = json::object();
    const auto put = [&](Token id, const char* name) {
        single.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
        special[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
    };
    if (before) put(*before, "bos");
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (after) put(*after, "eos");
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", json::array()},
            {"special_tokens", special}};
}

std::shared_ptr<const Tokenizer> load_bpe(const GgufFile& file, const GgufTokens& tokens) {
    const std::string name = file.string("tokenizer.ggml.pre", "default");
    const GgufPre* pre = find_gguf_pre(name);
    if (!pre)
        fail(ErrorKind::unsupported, "{}: tokenizer.ggml.pre: pre-tokenizer \"{}\" is not supported",
             file.path(), printable(name));
    TokenizerSpec spec;
    spec.file = file.path();
    add_vocab(tokens, spec);
    add_merges(file, spec);
    const auto bos = gguf_token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size());
    const auto eos = gguf_token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size());
    json steps = json::array();
    for (const std::string_view regex : pre->regexes) {
        steps.push_back({{"type", "Split"},
                         {"pattern", {{"Regex", std::string(regex)}}},
                         {"behavior", "Isolated"},
                         {"invert", false}});
    }
    steps.push_back(
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
    spec.root = {{"added_tokens", added_tokens(tokens)},
                 {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}},
                 {"decoder", {{"type", "ByteLevel"}}},
                 {"model", {{"type", "BPE"}, {"ignore_merges", pre->ignore_merges}}}};
    const bool add_bos = file.boolean("tokenizer.ggml.add_bos_token", pre->add_bos);
    const bool add_eos = file.boolean("tokenizer.ggml.add_eos_token", false);
    spec.root["post_processor"] = around(add_bos ? bos : std::nullopt, add_eos ? eos : std::nullopt);
    return build_tokenizer(spec, gguf_extras(tokens, bos, eos));
}

std::shared_ptr<const Tokenizer> load_llama(const GgufFile& file, const GgufTokens& tokens) {
    const std::size_t count = tokens.text.size();
    const auto bos = gguf_token_key(file, "tokenizer.ggml.bos_token_id", count, 1);
    const auto eos = gguf_token_key(file, "tokenizer.ggml.eos_token_id", count, 2);
    SpBpeOptions options;
    options.match_any_type = true;
    options.user_defined_first = false;  // they are cut out of the text before, like special tokens
    options.unk = gguf_token_key(file, "tokenizer.ggml.unknown_token_id", count, 0).value_or(-1);
    auto bpe = std::make_unique<SpBpe>(read_gguf_pieces(file, tokens), options, file.path());

    SpNormalizerOptions rules;
    rules.dummy_prefix = file.boolean("tokenizer.ggml.add_space_prefix", true);
    PipelineParts parts;
    parts.decoder = make_sentencepiece_decoder(rules.dummy_prefix, file.path());
    parts.normalizer = std::make_unique<SpNormalizer>(std::move(rules), StringMatcher());
    parts.model = std::move(bpe);
    parts.added.add(gguf_added_tokens(tokens), *parts.model, file.path());
    parts.added.finish(nullptr, file.path());
    const auto list = [](bool wanted, std::optional<Token> id) {
        return wanted && id ? std::vector<Token>{*id} : std::vector<Token>();
    };
    parts.post_processor = PostProcessor(list(file.boolean("tokenizer.ggml.add_bos_token", true), bos),
                                         list(file.boolean("tokenizer.ggml.add_eos_token", false), eos));
    return std::make_shared<Pipeline>(std::move(parts), gguf_extras(tokens, bos, eos));
}

/// The first tokens with their scores: those of full precision, where the file has them.
void add_scored_vocab(const GgufFile& file, const GgufTokens& tokens, TokenizerSpec& spec) {
    const JsonNode count = JsonNode(spec.root, spec.file).get("model").get("pieces");
    const std::int64_t own = count.integer();  // the rest are added tokens and padding
    count.need(own >= 0 && static_cast<std::size_t>(own) <= tokens.text.size(), "a count of pieces");
    const auto pieces = static_cast<std::size_t>(own);
    const SpPieces read = read_gguf_pieces(file, tokens);
    const auto* exact = file.numbers("tinyllm.tokenizer.scores");
    if (exact && exact->size() != pieces)
        fail(ErrorKind::corrupt, "{}: tinyllm.tokenizer.scores: expected {} values, found {}", file.path(),
             pieces, exact->size());
    spec.start_vocab(true);
    for (std::size_t i = 0; i < pieces; ++i) {
        const double score = exact ? (*exact)[i] : static_cast<double>(read.score[i]);
        spec.add_scored(tokens.text[i], score);
        if (std::isnan(score))
            fail(ErrorKind::corrupt, "{}: tinyllm.tokenizer.scores[{}]: not a number", file.path(), i);
    }
}

/// From our own keys, written by write_gguf_tokenizer.
std::shared_ptr<const Tokenizer> load_pipeline(const GgufFile& file, const GgufTokens& tokens,
                                               const std::string& text) {
    TokenizerSpec spec = parse_tokenizer_json(text, file.path() + ": tinyllm.tokenizer.pipeline");
    if (file.string("tokenizer.ggml.model") == "t5") {
        add_scored_vocab(file, tokens, spec);
    } else {
        add_vocab(tokens, spec);
        add_merges(file, spec);
    }
    const auto bos = gguf_token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size());
    const auto eos = gguf_token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size());
    TokenizerExtras extras = gguf_extras(tokens, bos, eos);
    const auto clean = spec.root.find("clean_up_tokenization_spaces");
    extras.clean_up = clean != spec.root.end() && clean->is_boolean() && clean->get<bool>();
    return build_tokenizer(spec, extras);
}

std::shared_ptr<const Tokenizer> load_sentencepiece(const GgufFile& file, const GgufTokens& tokens,
                                                    const std::string& text) {
    const std::string where = file.path() + ": tinyllm.tokenizer.sentencepiece";
    const TokenizerSpec spec = parse_tokenizer_json(text, where);
    const JsonNode node(spec.root, where);
    SentencepieceModel model;
    model.pieces = read_gguf_pieces(file, tokens);
    const std::int64_t own = node.get("pieces").integer();  // the rest are added tokens and padding
    node.need(own > 0 && static_cast<std::size_t>(own) <= tokens.text.size(), "a count of pieces");
    model.pieces.text.resize(static_cast<std::size_t>(own));
    model.pieces.type.resize(static_cast<std::size_t>(own));
    model.pieces.score.resize(static_cast<std::size_t>(own));
    model.model_type = 2;
    model.byte_fallback = node.boolean("byte_fallback");
    model.space_as_suffix = node.boolean("space_as_suffix");
    model.dummy_prefix = node.boolean("dummy_prefix");
    model.remove_extra_spaces = node.boolean("remove_extra_spaces");
    model.escape_spaces = node.boolean("escape_spaces");
    model.chars_map = decode_base64(node.string("chars_map"), where);
    HfTokenizerFiles files;
    files.folder = where;
    files.tokenizer_config = spec.root.value("tokenizer_config", json());
    files.special_tokens_map = spec.root.value("special_tokens_map", json());
    files.added_tokens = spec.root.value("added_tokens", json());
    return build_sentencepiece(model, files, where);
}

}  // namespace

std::shared_ptr<const Tokenizer> load_gguf_tokenizer(const GgufFile& file) {
    if (file.find_value("tokenizer.huggingface.json")) {
        const std::string where = file.path() + ": tokenizer.huggingface.json";
        TokenizerExtras extras;
        if (file.strings("tokenizer.ggml.tokens")) {
            const GgufTokens tokens = read_gguf_tokens(file);
            extras =
                gguf_extras(tokens, gguf_token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size()),
                            gguf_token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size()));
        }
        return build_tokenizer(parse_tokenizer_json(file.string("tokenizer.huggingface.json"), where),
                               extras);
    }
    if (!file.find_value("tokenizer.ggml.model"))
        fail(ErrorKind::not_found, "{}: the file holds no tokenizer (tokenizer.ggml.model)", file.path());
    const std::string model = file.string("tokenizer.ggml.model");
    if (model != "gpt2" && model != "llama" && model != "t5") {
        fail(ErrorKind::unsupported, "{}: tokenizer.ggml.model: tokenizer \"{}\" is not supported",
             file.path(), printable(model));
    }
    const GgufTokens tokens = read_gguf_tokens(file);
    if (file.find_value("tinyllm.tokenizer.pipeline"))
        return load_pipeline(file, tokens, file.string("tinyllm.tokenizer.pipeline"));
    if (file.find_value("tinyllm.tokenizer.sentencepiece")) {
        return load_sentencepiece(file, tokens, file.string("tinyllm.tokenizer.sentencepiece"));
    }
    if (model == "t5") return load_gguf_unigram(file, tokens);
    return model == "gpt2" ? load_bpe(file, tokens) : load_llama(file, tokens);
}

}  // namespace tinyllm
