#include "tokenizers/hf_tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "engine/fail.h"
#include "engine/mapped_file.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/spiece.h"
#include "tokenizers/split_patterns.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

using nlohmann::json;

std::string_view text_of(const MappedFile& file) {
    const auto bytes = file.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void read_merges(std::string_view text, const std::string& file, TokenizerSpec& spec) {
    if (!is_valid_utf8(text)) fail(ErrorKind::corrupt, "{}: not UTF-8", file);
    spec.has_merges = true;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty() || line.substr(0, 8) == "#version") continue;
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            fail(ErrorKind::corrupt, "{}: line {}: expected two tokens", file, number);
        }
        spec.add_merge(line.substr(0, space), line.substr(space + 1));
    }
}

}  // namespace

TokenizerSpec read_vocab_and_merges(const std::string& folder, const HfTokenizerFiles& files) {
    const MappedFile vocab(folder + "/vocab.json"), merges(folder + "/merges.txt");
    // As a tokenizer.json around the vocabulary, so that one reader fills the lists.
    std::string text = "{\"model\":{\"vocab\":";
    text += text_of(vocab);
    text += "}}";
    TokenizerSpec spec = parse_tokenizer_json(text, vocab.path());
    if (!spec.has_vocab || spec.scored)
        fail(ErrorKind::corrupt, "{}: expected an object of tokens and ids", vocab.path());
    read_merges(text_of(merges), merges.path(), spec);

    const bool prefix = files.flag("add_prefix_space", false);
    json bytes = {
        {"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", true}};
    json& root = spec.root;
    root = {{"version", "1.0"}, {"added_tokens", json::array()}, {"decoder", {{"type", "ByteLevel"}}}};
    root["model"] = {{"type", "BPE"}};
    const std::string name = files.tokenizer_class();
    if (name == "Qwen2Tokenizer") {
        bytes["use_regex"] = false;
        const json split = {{"type", "Split"},
                            {"pattern", {{"Regex", std::string(kQwen2Pattern)}}},
                            {"behavior", "Isolated"},
                            {"invert", false}};
        root["normalizer"] = {{"type", "NFC"}};
        root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
    } else if (name.empty() || name == "GPT2Tokenizer" || name == "GPTNeoXTokenizer" ||
               name == "CodeGenTokenizer") {
        root["pre_tokenizer"] = bytes;
    } else {
        fail(ErrorKind::unsupported,
             "{}/vocab.json: tokenizer class {} is not supported without a tokenizer.json", folder, name);
    }
    return spec;
}

std::optional<std::pair<TokenizerSpec, TokenizerExtras>> read_hf_spec(const std::string& folder,
                                                                      const HfTokenizerFiles& files) {
    namespace fs = std::filesystem;
    const std::string path = folder + "/tokenizer.json", spiece = folder + "/spiece.model";
    if (fs::exists(path) && !files.from_spiece()) {
        const MappedFile file(path);
        TokenizerSpec spec = parse_tokenizer_json(text_of(file), path);
        TokenizerExtras extras = apply_hf_rules(files, spec);
        return std::make_pair(std::move(spec), std::move(extras));
    }
    if (files.has_spiece) {
        const MappedFile file(spiece);
        TokenizerSpec spec = read_spiece(text_of(file), spiece, files);
        TokenizerExtras extras = apply_hf_rules(files, spec, true);
        return std::make_pair(std::move(spec), std::move(extras));
    }
    if (fs::exists(folder + "/vocab.json") && fs::exists(folder + "/merges.txt")) {
        TokenizerSpec spec = read_vocab_and_merges(folder, files);
        TokenizerExtras extras = apply_hf_rules(files, spec, true);
        const std::string name = files.tokenizer_class();
        if ((name.empty() || name == "GPT2Tokenizer") && files.flag("add_bos_token", false)) {
            extras.replaces_post_processor = true;
            extras.before = extras.bos;
        }
        return std::make_pair(std::move(spec), std::move(extras));
    }
    return {};
}

std::shared_ptr<const Tokenizer> load_hf_tokenizer(const std::string& folder) {
    const HfTokenizerFiles files = HfTokenizerFiles::read(folder);
    if (const auto source = read_hf_spec(folder, files))
        return build_tokenizer(source->first, source->second);
    const std::string model = folder + "/tokenizer.model";
    if (files.has_sentencepiece) {
        const MappedFile file(model);
        return build_sentencepiece(parse_sentencepiece(text_of(file), model), files, model);
    }
    fail(ErrorKind::not_found, "{}: no {}", folder, kHfTokenizerFiles);
}

}  // namespace tinyllm
