// Semantics: https://github.com/huggingface/tokenizers, tokenizers/src/processors.
#include "tokenizers/post_processor.h"

#include "tokenizers/vocab.h"

namespace tinyllm {
namespace {

Token token_id(const JsonNode& node) {
    const std::int64_t id = node.integer();
    node.need(id >= 0 && id <= Vocab::kMaxId, "a token id");
    return static_cast<Token>(id);
}

/// ["[CLS]", 101]
Token named_token(const JsonNode& node) {
    const auto items = node.items();
    node.need(items.size() == 2, "a pair of token and id");
    return token_id(items[1]);
}

}  // namespace

void PostProcessor::parse(const JsonNode& node) {
    if (node.is_null()) return;
    const std::string type = node.string("type");
    if (type == "ByteLevel") return;  // changes offsets only
    if (type == "Sequence") {
        for (const JsonNode& item : node.get("processors").items()) parse(item);
        return;
    }
    if (type == "BertProcessing" || type == "RobertaProcessing") {
        templates_.push_back({named_token(node.get("cls")), kSequence, named_token(node.get("sep"))});
        return;
    }
    if (type != "TemplateProcessing") node.unsupported("post_processor \"" + type + "\"");

    std::vector<Token> out;
    const JsonNode special = node.get("special_tokens");
    for (const JsonNode& piece : node.get("single").items()) {
        if (piece.has("SpecialToken")) {
            const JsonNode known = special.get(piece.get("SpecialToken").string("id"));
            for (const JsonNode& id : known.get("ids").items()) out.push_back(token_id(id));
        } else {
            const JsonNode sequence = piece.get("Sequence");
            if (sequence.string("id") != "A")
                sequence.unsupported("a second sequence in the template of one");
            out.push_back(kSequence);
        }
        if (out.size() > 1024) node.unsupported("a template of more than 1024 tokens");
    }
    templates_.push_back(std::move(out));
}

void PostProcessor::apply(std::vector<Token>& ids, bool add_special) const {
    for (const auto& pieces : templates_) {
        std::vector<Token> out;
        out.reserve(ids.size() + pieces.size());
        for (const Token piece : pieces) {
            if (piece == kSequence) {
                out.insert(out.end(), ids.begin(), ids.end());
            } else if (add_special) {
                out.push_back(piece);
            }
        }
        ids = std::move(out);
    }
}

}  // namespace tinyllm
