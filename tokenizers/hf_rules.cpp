#include "tokenizers/hf_rules.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/fail.h"
#include "engine/hf_folder.h"

namespace tinyllm {
namespace {

using nlohmann::json;

constexpr const char* kSpecialNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};

const json* member(const json& object, const std::string& key) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

/// "text" or {"content": "text", ...}
std::optional<AddedToken> token_of(const json& value, bool special) {
    AddedToken t;
    t.special = special;
    if (value.is_string()) {
        t.content = value.get<std::string>();
        t.normalized = !special;
        return t;
    }
    const json* content = member(value, "content");
    if (!content || !content->is_string()) return {};
    t.content = content->get<std::string>();
    const auto flag = [&](const char* key, bool otherwise) {
        const json* f = member(value, key);
        return f && f->is_boolean() ? f->get<bool>() : otherwise;
    };
    t.single_word = flag("single_word", false);
    t.lstrip = flag("lstrip", false);
    t.rstrip = flag("rstrip", false);
    t.special = special || flag("special", false);
    t.normalized = flag("normalized", !t.special);
    return t;
}

std::map<std::string, std::string> class_defaults(const std::string& name) {
    if (name == "GPT2Tokenizer" || name == "GPTNeoXTokenizer" || name == "CodeGenTokenizer") {
        return {
            {"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}};
    }
    if (name == "Qwen2Tokenizer") {
        return {
            {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}};
    }
    if (name == "LlamaTokenizer")
        return {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
    if (name == "BloomTokenizer") {
        return {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    }
    if (name == "GemmaTokenizer") {
        return {
            {"bos_token", "<bos>"}, {"eos_token", "<eos>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    }
    if (name == "T5Tokenizer") return {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    return {};
}

void set_llama_prefix(TokenizerSpec& spec, bool legacy, bool prefix) {
    json& root = spec.root;
    const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
    if (legacy) {
        json steps = json::array();
        if (prefix) steps.push_back({{"type", "Prepend"}, {"prepend", "\u2581"}});
        steps.push_back(replace);
        root["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
        root["pre_tokenizer"] = nullptr;
    } else {
        root["normalizer"] = nullptr;
        root["pre_tokenizer"] = {{"type", "Metaspace"},
                                 {"replacement", "\u2581"},
                                 {"prepend_scheme", prefix ? "first" : "never"},
                                 {"split", false}};
    }
    json decoders = {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
                     {{"type", "ByteFallback"}},
                     {{"type", "Fuse"}}};
    if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    root["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
}

/// Tokens on top of tokenizer.json's, in the order in which transformers adds them.
std::vector<AddedToken> extra_tokens(const HfTokenizerFiles& files, const TokenizerSpec& spec,
                                     bool converted) {
    std::map<std::string, AddedToken> by_text;  // what names of special tokens resolve to
    std::vector<std::pair<std::int64_t, AddedToken>> listed;
    std::vector<std::string> in_json;
    if (const json* own = member(spec.root, "added_tokens"); own && own->is_array()) {
        for (const json& item : *own) {
            if (const auto t = token_of(item, false)) {
                in_json.push_back(t->content);
                by_text[t->content] = *t;
            }
        }
    }
    std::vector<std::string> named;  // texts of all special tokens
    std::vector<AddedToken> specials;
    std::vector<bool> whole;  // of specials: given with all properties
    const auto name = [&](const json& value) {
        if (auto t = token_of(value, true)) {
            named.push_back(t->content);
            specials.push_back(std::move(*t));
            whole.push_back(value.is_object());
        }
    };
    const bool has_decoder = member(files.tokenizer_config, "added_tokens_decoder") != nullptr;
    const json& map = has_decoder ? files.tokenizer_config : files.special_tokens_map;
    for (const char* key : kSpecialNames) {
        if (const json* v = member(map, key)) {
            name(*v);
        } else if (const auto text = files.special_token(key)) {
            name(json(*text));
        }
    }
    for (const json* source : {&files.tokenizer_config, &files.special_tokens_map}) {
        if (source == &files.special_tokens_map && has_decoder) continue;
        if (const json* more = member(*source, "additional_special_tokens"); more && more->is_array()) {
            for (const json& value : *more) name(value);
        }
    }
    if (files.tokenizer_class() == "T5Tokenizer") {
        const auto listed_ids = std::count_if(named.begin(), named.end(), [](const std::string& text) {
            return text.find("<extra_id_") != std::string::npos;
        });
        const std::int64_t wanted = files.extra_ids();
        if (listed_ids > 0 && wanted > 0 && listed_ids != wanted) {
            fail(ErrorKind::corrupt,
                 "{}/tokenizer_config.json: extra_ids is {}, but additional_special_tokens has {} of them",
                 files.folder, wanted, listed_ids);
        }
        for (std::int64_t i = 0; listed_ids == 0 && i < wanted; ++i)
            name(json("<extra_id_" + std::to_string(i) + ">"));
    }
    const auto is_named = [&](const std::string& text) {
        return std::find(named.begin(), named.end(), text) != named.end();
    };
    if (has_decoder) {
        by_text.clear();
        for (const auto& [id, value] : files.tokenizer_config["added_tokens_decoder"].items()) {
            if (auto t = token_of(value, false)) {
                by_text[t->content] = *t;
                listed.emplace_back(std::atoll(id.c_str()), std::move(*t));
            }
        }
    } else if (files.added_tokens.is_object()) {
        for (const auto& [text, id] : files.added_tokens.items()) {
            AddedToken t;
            t.content = text;
            t.special = is_named(text);
            t.normalized = !t.special;
            if (!by_text.count(text)) by_text[text] = t;
            if (std::find(in_json.begin(), in_json.end(), text) == in_json.end()) {
                listed.emplace_back(id.is_number_integer() ? id.get<std::int64_t>() : 0, std::move(t));
            }
        }
    }
    std::stable_sort(listed.begin(), listed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<AddedToken> out;
    for (auto& [id, token] : listed) {
        token.special = token.special || is_named(token.content);
        out.push_back(std::move(token));
    }
    for (std::size_t i = 0; i < specials.size(); ++i) {
        AddedToken& token = specials[i];
        const bool own = std::find(in_json.begin(), in_json.end(), token.content) != in_json.end();
        const bool known = std::any_of(out.begin(), out.end(),
                                       [&](const AddedToken& t) { return t.content == token.content; });
        if (!known && (!own || (converted && whole[i]))) out.push_back(std::move(token));
    }
    return out;
}

}  // namespace

HfTokenizerFiles HfTokenizerFiles::read(const std::string& folder) {
    HfTokenizerFiles files;
    files.folder = folder;
    const auto read_if = [&](const char* name) {
        const std::string path = folder + "/" + name;
        return std::filesystem::exists(path) ? read_json_file(path) : json(nullptr);
    };
    files.tokenizer_config = read_if("tokenizer_config.json");
    files.special_tokens_map = read_if("special_tokens_map.json");
    files.added_tokens = read_if("added_tokens.json");
    files.config = read_if("config.json");
    files.has_sentencepiece = std::filesystem::exists(folder + "/tokenizer.model");
    files.has_spiece = std::filesystem::exists(folder + "/spiece.model");
    return files;
}

std::string HfTokenizerFiles::tokenizer_class() const {
    for (const json* source : {&tokenizer_config, &config}) {
        if (const json* name = member(*source, "tokenizer_class"); name && name->is_string()) {
            std::string text = name->get<std::string>();
            if (text.size() > 4 && text.compare(text.size() - 4, 4, "Fast") == 0)
                text.resize(text.size() - 4);
            return text == "MT5Tokenizer" ? "T5Tokenizer" : text;
        }
    }
    static const std::map<std::string, std::string> kByModelType = {{"gpt2", "GPT2Tokenizer"},
                                                                    {"opt", "GPT2Tokenizer"},
                                                                    {"llama", "LlamaTokenizer"},
                                                                    {"mistral", "LlamaTokenizer"},
                                                                    {"gpt_neox", "GPTNeoXTokenizer"},
                                                                    {"bloom", "BloomTokenizer"},
                                                                    {"qwen2", "Qwen2Tokenizer"},
                                                                    {"gpt_neo", "GPT2Tokenizer"},
                                                                    {"t5", "T5Tokenizer"},
                                                                    {"phi", "CodeGenTokenizer"},
                                                                    {"gemma", "GemmaTokenizer"},
                                                                    {"mt5", "T5Tokenizer"},
                                                                    {"umt5", "T5Tokenizer"},
                                                                    {"longt5", "T5Tokenizer"},
                                                                    {"switch_transformers", "T5Tokenizer"}};
    const json* type = member(config, "model_type");
    if (!type || !type->is_string()) return "";
    const auto it = kByModelType.find(type->get<std::string>());
    return it == kByModelType.end() ? "" : it->second;
}

std::optional<std::string> HfTokenizerFiles::special_token(const std::string& name) const {
    const bool has_decoder = member(tokenizer_config, "added_tokens_decoder") != nullptr;
    // An older folder's special_tokens_map.json goes before its tokenizer_config.json.
    const json* const first = has_decoder ? &tokenizer_config : &special_tokens_map;
    for (const json* source : {first, &tokenizer_config}) {
        if (const json* value = member(*source, name)) {
            if (const auto token = token_of(*value, true)) return token->content;
        }
    }
    if (tokenizer_config.is_object() && tokenizer_config.contains(name)) return {};  // null: there is none
    const auto defaults = class_defaults(tokenizer_class());
    const auto it = defaults.find(name);
    return it == defaults.end() ? std::nullopt : std::optional<std::string>(it->second);
}

bool HfTokenizerFiles::flag(const std::string& name, bool otherwise) const {
    const json* value = member(tokenizer_config, name);
    return value && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::int64_t HfTokenizerFiles::extra_ids() const {
    const json* value = member(tokenizer_config, "extra_ids");
    if (!value) return 100;
    constexpr std::uint64_t kMost = 100000;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > kMost)
        fail(ErrorKind::corrupt, "{}/tokenizer_config.json: extra_ids: expected a number from 0 to {}",
             folder, kMost);
    return value->get<std::int64_t>();
}

bool HfTokenizerFiles::from_spiece() const {
    return has_spiece && tokenizer_class() == "T5Tokenizer" && member(tokenizer_config, "add_prefix_space");
}

TokenizerExtras apply_hf_rules(const HfTokenizerFiles& files, TokenizerSpec& spec, bool converted) {
    TokenizerExtras extras;
    const std::string name = files.tokenizer_class();
    if (name.empty() && files.tokenizer_config.is_null()) return extras;  // nothing beside tokenizer.json

    extras.clean_up = files.flag("clean_up_tokenization_spaces", false);
    extras.bos = files.special_token("bos_token");
    extras.eos = files.special_token("eos_token");
    if (auto it = spec.root.find("pre_tokenizer");
        it != spec.root.end() && it->is_object() && it->value("type", json()) == "ByteLevel") {
        (*it)["add_prefix_space"] = files.flag("add_prefix_space", false);
    }
    if (name == "LlamaTokenizer" && files.has_sentencepiece &&
        member(files.tokenizer_config, "add_prefix_space")) {
        set_llama_prefix(spec, files.flag("legacy", true), files.flag("add_prefix_space", true));
    }
    extras.added = extra_tokens(files, spec, converted);

    const bool bos_by_default = name == "LlamaTokenizer" || name == "GemmaTokenizer" ||
                                name == "CohereTokenizer" || name == "CodeLlamaTokenizer";
    if (!bos_by_default && name != "GPTNeoXTokenizer") return extras;
    const auto wanted = [&](const char* flag, bool otherwise, const std::optional<std::string>& text) {
        if (!files.flag(flag, otherwise)) return std::optional<std::string>();
        if (!text)
            fail(ErrorKind::corrupt, "{}/tokenizer_config.json: {} is true, but there is no such token",
                 files.folder, flag);
        return text;
    };
    extras.replaces_post_processor = true;
    extras.before = wanted("add_bos_token", bos_by_default, extras.bos);
    extras.after = wanted("add_eos_token", false, extras.eos);
    return extras;
}

}  // namespace tinyllm
