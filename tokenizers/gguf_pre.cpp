#include "tokenizers/gguf_pre.h"

#include <map>

#include "tokenizers/split_patterns.h"

namespace tinyllm {

const GgufPre* find_gguf_pre(std::string_view name) {
    constexpr std::string_view kDigit = R"(\p{N})";
    constexpr std::string_view kBloom = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
    static const GgufPre kGpt2{{kGpt2Pattern}, false, false};
    static const GgufPre kLlama3{{kGgufLlama3Pattern}, true, true};
    static const GgufPre kLlama3Merging{{kGgufLlama3Pattern}, false, false};
    static const GgufPre kQwen2{{kGgufQwen2Pattern}, false, false};
    static const GgufPre kDigits{{kDigit, kGpt2Pattern}, false, false};
    static const GgufPre kFalcon{{R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2Pattern, "[0-9][0-9][0-9]"}, false, false};
    static const GgufPre kBloomPre{{kBloom}, false, false};
    static const GgufPre kViking{{kBloom, kDigit}, false, false};
    static const GgufPre kDefault{
        {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}, false, false};
    static const std::map<std::string_view, const GgufPre*> kNames = {
        {"default", &kDefault},
        {"gpt-2", &kGpt2},
        {"phi-2", &kGpt2},
        {"mpt", &kGpt2},
        {"olmo", &kGpt2},
        {"jais", &kGpt2},
        {"trillion", &kGpt2},
        {"jina-es", &kGpt2},
        {"jina-de", &kGpt2},
        {"jina-v2-es", &kGpt2},
        {"jina-v2-de", &kGpt2},
        {"gigachat", &kGpt2},
        {"a.x-4.0", &kGpt2},
        {"mellum", &kGpt2},
        {"modern-bert", &kGpt2},
        {"granite-docling", &kGpt2},
        {"exaone4", &kGpt2},
        {"llama3", &kLlama3},
        {"llama-v3", &kLlama3},
        {"llama-bpe", &kLlama3},
        {"falcon3", &kLlama3},
        {"falcon-h1", &kLlama3},
        {"pixtral", &kLlama3},
        {"midm-2.0", &kLlama3},
        {"lfm2", &kLlama3},
        {"jina-v5-nano", &kLlama3},
        {"dbrx", &kLlama3Merging},
        {"smaug-bpe", &kLlama3Merging},
        {"qwen2", &kQwen2},
        {"deepseek-r1-qwen", &kQwen2},
        {"kormo", &kQwen2},
        {"f2llmv2", &kQwen2},
        {"stablelm2", &kQwen2},
        {"megrez", &kQwen2},
        {"hunyuan", &kQwen2},
        {"solar-open", &kQwen2},
        {"grok-2", &kQwen2},
        {"smollm", &kDigits},
        {"starcoder", &kDigits},
        {"refact", &kDigits},
        {"command-r", &kDigits},
        {"codeshell", &kDigits},
        {"exaone", &kDigits},
        {"minerva-7b", &kDigits},
        {"mellum2", &kDigits},
        {"falcon", &kFalcon},
        {"bloom", &kBloomPre},
        {"poro-chat", &kBloomPre},
        {"gpt3-finnish", &kBloomPre},
        {"viking", &kViking},
    };
    const auto it = kNames.find(name);
    return it == kNames.end() ? nullptr : it->second;
}

}  // namespace tinyllm
