#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>

#include "engine/fail.h"
#include "engine/mapped_file.h"
#include "tokenizers/gguf_tokenizer.h"
#include "tokenizers/hf_tokenizer.h"
#include "tokenizers/precompiled.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/split_patterns.h"
#include "tokenizers/tokenizer_spec.h"

namespace tinyllm {
namespace {

using nlohmann::json;

/// llama.cpp's lists, one entry per vocabulary row of the model.
struct Rows {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;
    std::vector<float> scores;

    Rows(std::int64_t count, float score) {
        for (std::int64_t i = 0; i < count; ++i) tokens.push_back("[PAD" + std::to_string(i) + "]");
        types.assign(tokens.size(), static_cast<std::int32_t>(PieceType::unused));
        scores.assign(tokens.size(), score);
    }
    void set(std::int64_t id, std::string_view text, PieceType type, const std::string& file) {
        if (id < 0 || static_cast<std::size_t>(id) >= tokens.size()) {
            fail(ErrorKind::unsupported,
                 "{}: token {} lies beyond the {} vocabulary rows of the model, which GGUF cannot hold", file,
                 id, tokens.size());
        }
        tokens[static_cast<std::size_t>(id)] = text;
        types[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(type);
    }
};

bool is_byte_level(const json& node) {
    if (!node.is_object()) return false;
    const std::string type = node.value("type", "");
    if (type == "ByteLevel") return true;
    return type == "Sequence" && node.contains("pretokenizers") && !node["pretokenizers"].empty() &&
           is_byte_level(node["pretokenizers"].back());
}

/// llama.cpp's name for the way the pre-tokenizer cuts text; "default" where it has none.
std::string pre_name(const json& node, bool ignore_merges) {
    json steps = json::array();
    if (node.is_object() && node.value("type", "") == "Sequence") {
        steps = node.value("pretokenizers", json::array());
    } else {
        steps.push_back(node);
    }
    const json& last = steps.back();
    if (last.value("add_prefix_space", true)) return "default";
    const bool gpt2 = last.value("use_regex", true);
    if (steps.size() == 1 && gpt2) return ignore_merges ? "default" : "gpt-2";
    if (steps.size() != 2) return "default";
    const json& first = steps[0];
    if (gpt2 && first.value("type", "") == "Digits" && first.value("individual_digits", false)) {
        return ignore_merges ? "default" : "smollm";
    }
    if (gpt2 || first.value("type", "") != "Split" || first.value("behavior", "") != "Isolated")
        return "default";
    const json pattern = first.value("pattern", json::object());
    const json regex = pattern.value("Regex", json());
    if (!regex.is_string()) return "default";
    const auto text = regex.get<std::string>();
    if (text == kLlama3Pattern) return ignore_merges ? "llama-bpe" : "smaug-bpe";
    if (ignore_merges) return "default";
    if (text == kQwen2Pattern) return "qwen2";
    if (text == " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+") return "bloom";
    return "default";
}

/// The special ids, whether they are added, and the chat template, for every kind of tokenizer.
void write_special(const HfTokenizerFiles& files, const Tokenizer& tokenizer, std::size_t rows,
                   GgufWriter& writer) {
    static constexpr std::pair<const char*, const char*> kNames[] = {{"bos", "bos"},     {"eos", "eos"},
                                                                     {"unk", "unknown"}, {"sep", "seperator"},
                                                                     {"pad", "padding"}, {"mask", "mask"}};
    for (const auto& [hf, gguf] : kNames) {
        std::optional<Token> id;
        if (const auto text = files.special_token(std::string(hf) + "_token")) id = tokenizer.find(*text);
        if (!id && std::string_view(hf) == "bos") id = tokenizer.bos();
        if (!id && std::string_view(hf) == "eos") id = tokenizer.eos();
        if (!id && files.config.is_object()) {
            const json value = files.config.value(std::string(hf) + "_token_id", json());
            if (value.is_number_unsigned() && value.get<std::uint64_t>() < rows) id = value.get<Token>();
        }
        if (id && static_cast<std::size_t>(*id) < rows) {
            writer.set_u32(std::string("tokenizer.ggml.") + gguf + "_token_id",
                           static_cast<std::uint32_t>(*id));
        }
    }
    const auto with = tokenizer.encode("", {true, true});
    const auto holds = [&](std::optional<Token> id, bool front) {
        return id && !with.empty() && (front ? with.front() : with.back()) == *id &&
               (front || with.size() > 1 || !tokenizer.bos() || with.back() != *tokenizer.bos());
    };
    writer.set_bool("tokenizer.ggml.add_bos_token", holds(tokenizer.bos(), true));
    writer.set_bool("tokenizer.ggml.add_eos_token", holds(tokenizer.eos(), false));

    const std::string jinja = files.folder + "/chat_template.jinja";
    if (std::filesystem::exists(jinja)) {
        const MappedFile file(jinja);
        writer.set_string(
            "tokenizer.chat_template",
            std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()));
        return;
    }
    if (!files.tokenizer_config.is_object()) return;
    const json chat = files.tokenizer_config.value("chat_template", json());
    if (chat.is_string()) writer.set_string("tokenizer.chat_template", chat.get<std::string>());
    if (!chat.is_array()) return;
    for (const json& item : chat) {
        if (item.is_object() && item.value("name", "") == "default" && item.contains("template") &&
            item["template"].is_string()) {
            writer.set_string("tokenizer.chat_template", item["template"].get<std::string>());
        }
    }
}

/// The post-processor that the folder's class replaced the file's by, with ids.
json template_of(const TokenizerExtras& extras, const Tokenizer& tokenizer) {
    json single = json::array(), special = json::object();
    const auto put = [&](const std::optional<std::string>& text) {
        if (!text) return;
        single.push_back({{"SpecialToken", {{"id", *text}, {"type_id", 0}}}});
        special[*text] = {{"id", *text}, {"ids", {tokenizer.find(*text).value_or(0)}}, {"tokens", {*text}}};
    };
    put(extras.before);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    put(extras.after);
    return {
        {"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", special}};
}

/// The first character map among the normalizers; null if there is none.
const json* chars_map(const json& node) {
    if (!node.is_object()) return nullptr;
    if (node.value("type", "") == "Precompiled") return &node["precompiled_charsmap"];
    if (const auto parts = node.find("normalizers"); parts != node.end()) {
        for (const json& part : *parts) {
            if (const json* found = chars_map(part)) return found;
        }
    }
    return nullptr;
}

/// What a Unigram file has on top of a BPE's: its normalization in llama.cpp's terms, and the scores once
/// more where 32 bits do not hold them.
void write_unigram(TokenizerSpec& spec, const Tokenizer& tokenizer, GgufWriter& writer) {
    const auto normalizer = spec.root.find("normalizer");
    if (const json* map = normalizer == spec.root.end() ? nullptr : chars_map(*normalizer))
        writer.set_bytes("tokenizer.ggml.precompiled_charsmap",
                         decode_base64(map->get<std::string>(), spec.file));
    const EncodeOptions plain{false, false};
    writer.set_bool("tokenizer.ggml.remove_extra_whitespaces",
                    tokenizer.encode("a  b", plain) == tokenizer.encode("a b", plain));
    const json unk = spec.root["model"].value("unk_id", json());
    if (unk.is_number()) writer.set_u32("tokenizer.ggml.unknown_token_id", unk.get<std::uint32_t>());
    bool exact = true;
    for (const double score : spec.scores)
        exact = exact && static_cast<double>(static_cast<float>(score)) == score;
    if (!exact) writer.set_f64s("tinyllm.tokenizer.scores", spec.scores);
    spec.root["model"]["pieces"] = spec.vocab.size();
}

void write_spec(TokenizerSpec spec, const TokenizerExtras& extras, const HfTokenizerFiles& files,
                std::int64_t n_rows, GgufWriter& writer) {
    const auto tokenizer = build_tokenizer(spec, extras);
    const json& pre = spec.root.contains("pre_tokenizer") ? spec.root["pre_tokenizer"] : json();
    const json& options = spec.root["model"];
    const bool unigram = spec.scored;
    const bool bytes = !unigram && is_byte_level(pre);
    const auto flag = [&](const char* name) {
        const json v = options.value(name, json());
        return v.is_boolean() && v.get<bool>();
    };
    if (!bytes && !unigram && !flag("byte_fallback")) {
        fail(ErrorKind::unsupported, "{}: a BPE of neither bytes nor byte fallback has no form in GGUF",
             spec.file);
    }
    Rows rows(n_rows, bytes ? 0.0F : -1000.0F);
    for (std::size_t i = 0; i < spec.vocab.size(); ++i) {
        const std::string_view text = spec.vocab[i];
        const std::int64_t id = spec.id(i);
        const bool byte = !bytes && flag("byte_fallback") && text.size() == 6 && text.substr(0, 3) == "<0x" &&
                          text[5] == '>';
        const bool unknown = unigram && options.value("unk_id", json()) == id;
        const PieceType type = byte ? PieceType::byte : unknown ? PieceType::unknown : PieceType::normal;
        rows.set(id, text, type, spec.file);
        if (unigram) rows.scores[static_cast<std::size_t>(id)] = static_cast<float>(spec.scores[i]);
    }
    json added = spec.root.contains("added_tokens") && spec.root["added_tokens"].is_array()
                     ? spec.root["added_tokens"]
                     : json::array();
    for (const AddedToken& t : extras.added) {
        added.push_back({{"content", t.content},
                         {"single_word", t.single_word},
                         {"lstrip", t.lstrip},
                         {"rstrip", t.rstrip},
                         {"normalized", t.normalized},
                         {"special", t.special}});
    }
    for (const json& token : added) {
        const auto text = token.value("content", "");
        const auto id = tokenizer->find(text);
        if (!id) continue;
        const bool unknown = unigram ? options.value("unk_id", json()) == *id
                                     : !bytes && files.special_token("unk_token") == text;
        rows.set(*id, text,
                 unknown                      ? PieceType::unknown
                 : tokenizer->is_special(*id) ? PieceType::control
                                              : PieceType::user_defined,
                 spec.file);
    }
    std::vector<std::string> merges;
    merges.reserve(spec.merges.size() / 2);
    std::map<std::string, float> rank;  // of the first merge that makes a token
    for (std::size_t i = 0; i < spec.merges.size(); i += 2) {
        if (!bytes) rank.emplace(spec.merges.join(i, i + 1), -static_cast<float>(i / 2));
        merges.push_back(fmt::format("{} {}", spec.merges[i], spec.merges[i + 1]));
    }
    if (!bytes && !unigram) {
        for (std::size_t i = 0; i < rows.tokens.size(); ++i) {
            const auto it = rank.find(rows.tokens[i]);
            if (it != rank.end()) rows.scores[i] = it->second;
        }
    }
    writer.set_string("tokenizer.ggml.model", unigram ? "t5" : bytes ? "gpt2" : "llama");
    writer.set_string("tokenizer.ggml.pre", bytes ? pre_name(pre, flag("ignore_merges")) : "default");
    writer.set_strings("tokenizer.ggml.tokens", rows.tokens);
    if (!bytes) writer.set_f32s("tokenizer.ggml.scores", rows.scores);
    writer.set_i32s("tokenizer.ggml.token_type", rows.types);
    if (!unigram) writer.set_strings("tokenizer.ggml.merges", std::move(merges));
    write_special(files, *tokenizer, rows.tokens.size(), writer);
    if (unigram) write_unigram(spec, *tokenizer, writer);
    if (!bytes) {
        const auto plain = tokenizer->encode("a", {false, false});
        writer.set_bool("tokenizer.ggml.add_space_prefix",
                        !plain.empty() && tokenizer->piece(plain[0]).rfind("\u2581", 0) == 0);
    }

    if (extras.replaces_post_processor) spec.root["post_processor"] = template_of(extras, *tokenizer);
    spec.root["added_tokens"] = std::move(added);
    spec.root["clean_up_tokenization_spaces"] = extras.clean_up;
    spec.root.erase("truncation");
    spec.root.erase("padding");
    writer.set_string("tinyllm.tokenizer.pipeline", spec.root.dump());
}

void write_sentencepiece(const std::string& path, const HfTokenizerFiles& files, std::int64_t n_rows,
                         GgufWriter& writer) {
    const MappedFile file(path);
    const SentencepieceModel model =
        parse_sentencepiece({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path);
    const auto tokenizer = build_sentencepiece(model, files, path);
    Rows rows(n_rows, -1000.0F);
    const auto& pieces = model.pieces;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        rows.set(static_cast<std::int64_t>(i), pieces.text[i], pieces.type[i], path);
        rows.scores[i] = pieces.score[i];
    }
    for (auto id = static_cast<std::int64_t>(pieces.size()); id < tokenizer->vocab_size(); ++id) {
        const auto token = static_cast<Token>(id);
        rows.set(id, tokenizer->piece(token),
                 tokenizer->is_special(token) ? PieceType::control : PieceType::user_defined, path);
    }
    writer.set_string("tokenizer.ggml.model", "llama");
    writer.set_string("tokenizer.ggml.pre", "default");
    writer.set_strings("tokenizer.ggml.tokens", rows.tokens);
    writer.set_f32s("tokenizer.ggml.scores", rows.scores);
    writer.set_i32s("tokenizer.ggml.token_type", rows.types);
    writer.set_bool("tokenizer.ggml.add_space_prefix", files.flag("add_prefix_space", model.dummy_prefix));
    write_special(files, *tokenizer, rows.tokens.size(), writer);

    json config = files.tokenizer_config.is_object() ? files.tokenizer_config : json::object();
    config.erase("chat_template");
    config["tokenizer_class"] = files.tokenizer_class();
    const json rules = {{"chars_map", encode_base64(model.chars_map)},
                        {"byte_fallback", model.byte_fallback},
                        {"space_as_suffix", model.space_as_suffix},
                        {"dummy_prefix", model.dummy_prefix},
                        {"remove_extra_spaces", model.remove_extra_spaces},
                        {"escape_spaces", model.escape_spaces},
                        {"pieces", pieces.size()},
                        {"tokenizer_config", config},
                        {"special_tokens_map", files.special_tokens_map},
                        {"added_tokens", files.added_tokens}};
    writer.set_string("tinyllm.tokenizer.sentencepiece", rules.dump());
}

}  // namespace

void write_gguf_tokenizer(const std::string& hf_folder, std::int64_t n_vocab_rows, GgufWriter& writer) {
    if (n_vocab_rows < 1 || n_vocab_rows > Vocab::kMaxId)
        fail(ErrorKind::corrupt, "{}: a vocabulary of {} rows", hf_folder, n_vocab_rows);
    const HfTokenizerFiles files = HfTokenizerFiles::read(hf_folder);
    if (auto source = read_hf_spec(hf_folder, files)) {
        write_spec(std::move(source->first), source->second, files, n_vocab_rows, writer);
        return;
    }
    const std::string model = hf_folder + "/tokenizer.model";
    if (!files.has_sentencepiece) fail(ErrorKind::not_found, "{}: no {}", hf_folder, kHfTokenizerFiles);
    write_sentencepiece(model, files, n_vocab_rows, writer);
}

}  // namespace tinyllm
