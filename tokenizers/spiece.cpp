#include "tokenizers/spiece.h"

#include "engine/fail.h"
#include "tokenizers/precompiled.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

using nlohmann::json;

json normalizer_of(const SentencepieceModel& model) {
    json steps = json::array();
    if (!model.chars_map.empty())
        steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(model.chars_map)}});
    steps.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", kMetaspace}});
    return {{"type", "Sequence"}, {"normalizers", steps}};
}

json metaspace(const HfTokenizerFiles& files) {
    const bool prefix = files.flag("add_prefix_space", true);
    const char* const scheme = !prefix ? "never" : files.flag("legacy", true) ? "always" : "first";
    return {{"type", "Metaspace"}, {"replacement", kMetaspace}, {"prepend_scheme", scheme}, {"split", true}};
}

}  // namespace

TokenizerSpec read_spiece(std::string_view bytes, const std::string& path, const HfTokenizerFiles& files) {
    const SentencepieceModel model = parse_sentencepiece(bytes, path);
    if (const std::string name = files.tokenizer_class(); name != "T5Tokenizer") {
        fail(ErrorKind::unsupported, "{}: tokenizer class {} is not supported without a tokenizer.json", path,
             name.empty() ? "\"\"" : name);
    }
    check_sentencepiece_type(model, 1, path);
    TokenizerSpec spec;
    spec.file = path;
    spec.start_vocab(true);
    json added = json::array();
    std::int64_t eos = -1;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        const std::string& text = model.pieces.text[i];
        if (!is_valid_utf8(text)) fail(ErrorKind::corrupt, "{}: piece {} is not UTF-8", path, i);
        spec.add_scored(text, static_cast<double>(model.pieces.score[i]));
        if (text == "</s>") eos = static_cast<std::int64_t>(i);
        const PieceType type = model.pieces.type[i];
        if (type == PieceType::control || type == PieceType::user_defined) {
            added.push_back({{"id", i},
                             {"content", text},
                             {"special", type == PieceType::control},
                             {"normalized", false}});
        }
    }
    if (eos < 0) fail(ErrorKind::corrupt, "{}: no piece </s>, which ends every text of T5", path);
    for (std::int64_t i = files.extra_ids() - 1; i >= 0; --i)
        spec.add_scored("<extra_id_" + std::to_string(i) + ">", 0);
    spec.root = {{"added_tokens", added},
                 {"normalizer", normalizer_of(model)},
                 {"pre_tokenizer", metaspace(files)},
                 {"decoder", metaspace(files)},
                 {"model", {{"type", "Unigram"}, {"unk_id", model.unk_id}, {"byte_fallback", false}}},
                 {"post_processor",
                  {{"type", "TemplateProcessing"},
                   {"single",
                    {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                     {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}}}},
                   {"pair", json::array()},
                   {"special_tokens", {{"</s>", {{"id", "</s>"}, {"ids", {eos}}, {"tokens", {"</s>"}}}}}}}}};
    return spec;
}

}  // namespace tinyllm
