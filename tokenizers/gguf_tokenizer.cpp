#include "tokenizers/gguf_tokenizer.h"

#include "engine/fail.h"
#include "engine/printable.h"
#include "tokenizers/gguf_pre.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/sp_normalizer.h"
#include "tokenizers/tokenizer_spec.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

using nlohmann::json;

/// Token texts and types, checked.
struct GgufTokens {
    std::vector<std::string_view> text;
    std::vector<PieceType> type;
};

GgufTokens read_tokens(const GgufFile& file) {
    GgufTokens tokens;
    const auto* texts = file.strings("tokenizer.ggml.tokens");
    if (!texts)
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens: expected a list of strings, found none",
             file.path());
    tokens.text = *texts;
    if (tokens.text.size() > static_cast<std::size_t>(Vocab::kMaxId))
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens: too many", file.path());
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        if (!is_valid_utf8(tokens.text[i]))
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.tokens[{}]: not UTF-8", file.path(), i);
    }
    tokens.type.assign(tokens.text.size(), PieceType::normal);
    if (const auto* types = file.integers("tokenizer.ggml.token_type")) {
        if (types->size() != tokens.text.size()) {
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.token_type: expected {} values, found {}",
                 file.path(), tokens.text.size(), types->size());
        }
        for (std::size_t i = 0; i < types->size(); ++i) {
            const std::int64_t type = (*types)[i];
            if (type < 0 || type > 6)
                fail(ErrorKind::corrupt, "{}: tokenizer.ggml.token_type[{}]: {} is no type", file.path(), i,
                     type);
            tokens.type[i] = type == 0 ? PieceType::normal : static_cast<PieceType>(type);
        }
    }
    return tokens;
}

std::optional<Token> token_key(const GgufFile& file, std::string_view key, std::size_t count,
                               std::optional<Token> otherwise = {}) {
    const GgufValue* value = file.find_value(key);
    std::int64_t id = otherwise ? *otherwise : -1;
    if (value) id = file.integer(key);
    if (id < 0 || static_cast<std::size_t>(id) >= count) return {};  // llama.cpp too treats a wild id as none
    return static_cast<Token>(id);
}

void add_vocab(const GgufTokens& tokens, TokenizerSpec& spec) {
    spec.has_vocab = true;
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        if (tokens.type[i] != PieceType::unused) spec.add_entry(tokens.text[i], static_cast<std::int64_t>(i));
    }
}

void add_merges(const GgufFile& file, TokenizerSpec& spec) {
    const auto* merges = file.strings("tokenizer.ggml.merges");
    if (!merges)
        fail(ErrorKind::corrupt, "{}: tokenizer.ggml.merges: expected a list of strings, found none",
             file.path());
    spec.has_merges = true;
    for (std::size_t i = 0; i < merges->size(); ++i) {
        const std::string_view line = (*merges)[i];
        const std::size_t space = line.size() < 2 ? std::string_view::npos : line.find(' ', 1);
        if (space == std::string_view::npos)
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.merges[{}]: expected two tokens", file.path(), i);
        spec.merges.push_back({spec.add_text(line.substr(0, space)), spec.add_text(line.substr(space + 1))});
    }
}

json added_tokens(const GgufTokens& tokens) {
    json added = json::array();
    for (std::size_t i = 0; i < tokens.text.size(); ++i) {
        const PieceType type = tokens.type[i];
        const bool special = type == PieceType::control || type == PieceType::unknown;
        if (!special && type != PieceType::user_defined) continue;
        added.push_back({{"id", i},
                         {"content", std::string(tokens.text[i])},
                         {"special", special},
                         {"normalized", false}});
    }
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

TokenizerExtras named(const GgufTokens& tokens, std::optional<Token> bos, std::optional<Token> eos) {
    TokenizerExtras extras;
    if (bos) extras.bos = std::string(tokens.text[static_cast<std::size_t>(*bos)]);
    if (eos) extras.eos = std::string(tokens.text[static_cast<std::size_t>(*eos)]);
    return extras;
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
    const auto bos = token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size());
    const auto eos = token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size());
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
    return build_tokenizer(spec, named(tokens, bos, eos));
}

SpPieces read_pieces(const GgufFile& file, const GgufTokens& tokens) {
    SpPieces pieces;
    pieces.text.assign(tokens.text.begin(), tokens.text.end());
    pieces.type = tokens.type;
    pieces.score.assign(tokens.text.size(), 0.0F);
    if (const auto* scores = file.numbers("tokenizer.ggml.scores")) {
        if (scores->size() < tokens.text.size()) {
            fail(ErrorKind::corrupt, "{}: tokenizer.ggml.scores: expected {} values, found {}", file.path(),
                 tokens.text.size(), scores->size());
        }
        for (std::size_t i = 0; i < tokens.text.size(); ++i)
            pieces.score[i] = static_cast<float>((*scores)[i]);
    }
    return pieces;
}

std::shared_ptr<const Tokenizer> load_llama(const GgufFile& file, const GgufTokens& tokens) {
    const std::size_t count = tokens.text.size();
    const auto bos = token_key(file, "tokenizer.ggml.bos_token_id", count, 1);
    const auto eos = token_key(file, "tokenizer.ggml.eos_token_id", count, 2);
    SpBpeOptions options;
    options.match_any_type = true;
    options.user_defined_first = false;  // they are cut out of the text before, like special tokens
    options.unk = token_key(file, "tokenizer.ggml.unknown_token_id", count, 0).value_or(-1);
    auto bpe = std::make_unique<SpBpe>(read_pieces(file, tokens), options, file.path());

    SpNormalizerOptions rules;
    rules.dummy_prefix = file.boolean("tokenizer.ggml.add_space_prefix", true);
    PipelineParts parts;
    parts.decoder = make_sentencepiece_decoder(rules.dummy_prefix, file.path());
    parts.normalizer = std::make_unique<SpNormalizer>(std::move(rules), StringMatcher());
    parts.model = std::move(bpe);
    std::vector<AddedToken> added;
    for (const json& item : added_tokens(tokens)) {
        AddedToken token;
        token.content = item["content"].get<std::string>();
        token.special = item["special"].get<bool>();
        token.normalized = false;
        added.push_back(std::move(token));
    }
    parts.added.add(added, *parts.model, file.path());
    parts.added.finish(nullptr, file.path());
    const auto list = [](bool wanted, std::optional<Token> id) {
        return wanted && id ? std::vector<Token>{*id} : std::vector<Token>();
    };
    parts.post_processor = PostProcessor(list(file.boolean("tokenizer.ggml.add_bos_token", true), bos),
                                         list(file.boolean("tokenizer.ggml.add_eos_token", false), eos));
    return std::make_shared<Pipeline>(std::move(parts), named(tokens, bos, eos));
}

/// From our own keys, written by write_gguf_tokenizer.
std::shared_ptr<const Tokenizer> load_pipeline(const GgufFile& file, const GgufTokens& tokens,
                                               const std::string& text) {
    TokenizerSpec spec = parse_tokenizer_json(text, file.path() + ": tinyllm.tokenizer.pipeline");
    add_vocab(tokens, spec);
    add_merges(file, spec);
    const auto bos = token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size());
    const auto eos = token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size());
    TokenizerExtras extras = named(tokens, bos, eos);
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
    model.pieces = read_pieces(file, tokens);
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
            const GgufTokens tokens = read_tokens(file);
            extras = named(tokens, token_key(file, "tokenizer.ggml.bos_token_id", tokens.text.size()),
                           token_key(file, "tokenizer.ggml.eos_token_id", tokens.text.size()));
        }
        return build_tokenizer(parse_tokenizer_json(file.string("tokenizer.huggingface.json"), where),
                               extras);
    }
    if (!file.find_value("tokenizer.ggml.model"))
        fail(ErrorKind::not_found, "{}: the file holds no tokenizer (tokenizer.ggml.model)", file.path());
    const std::string model = file.string("tokenizer.ggml.model");
    if (model != "gpt2" && model != "llama") {
        fail(ErrorKind::unsupported, "{}: tokenizer.ggml.model: tokenizer \"{}\" is not supported",
             file.path(), printable(model));
    }
    const GgufTokens tokens = read_tokens(file);
    if (file.find_value("tinyllm.tokenizer.pipeline"))
        return load_pipeline(file, tokens, file.string("tinyllm.tokenizer.pipeline"));
    if (file.find_value("tinyllm.tokenizer.sentencepiece")) {
        return load_sentencepiece(file, tokens, file.string("tinyllm.tokenizer.sentencepiece"));
    }
    return model == "gpt2" ? load_bpe(file, tokens) : load_llama(file, tokens);
}

}  // namespace tinyllm
