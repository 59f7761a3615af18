#include "engine/stages.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace tinyllm {
namespace {

struct Rule {
    std::string_view op, weights;  // the last word of the first name
    std::string_view stage;
};

// qkv and the others are one op with the norm in front of them, and cannot be told apart from it.
constexpr Rule kRules[] = {
    {"qkv", "cross_attn_k", "cross keys and values"},
    {"linear", "cross_attn_q", "norm, cross queries"},
    {"linear", "cross_attn_o", "cross attention output"},
    {"linear", "attn_output", "attention output"},
    {"linear", "attn_o", "attention output"},
    {"linear", "ffn_up", "norm, mlp up"},
    {"linear", "ffn_down", "mlp down"},
    {"attend", "cross_attn_q", "cross attention"},
    {"embed", "position_embd", "position embedding"},
    // Whatever the weights are called:
    {"embed", "", "token embedding"},
    {"qkv", "", "norm, qkv, rope, cache write"},
    {"attend", "", "attention"},
    {"glu", "", "norm, mlp gate and up"},
    {"logits", "", "norm, head"},
    {"score", "", "norm, head, softmax"},
    {"top", "", "norm, head, likeliest tokens"},
    {"norm", "", "norm"},
    {"copy", "", "copy of the last row"},
    {"copy_kv", "", "cache copy"},
};

std::string stage_of(const StageUse& use) {
    const std::string_view first = std::string_view(use.weights).substr(0, use.weights.find('+'));
    const std::string_view last = first.substr(first.rfind('.') + 1);
    const std::string_view side = first.starts_with("enc.")   ? "encoder "
                                  : first.starts_with("dec.") ? "decoder "
                                                              : "";
    const auto* rule = std::ranges::find_if(
        kRules, [&](const Rule& r) { return r.op == use.op && (r.weights.empty() || r.weights == last); });
    if (rule == std::end(kRules)) return use.weights;
    return std::string(side).append(rule->stage);
}

}  // namespace

const char* products_name(Products products) {
    return products == Products::f32 ? "f32" : products == Products::int8 ? "int8" : "bf16";
}

std::vector<StageUse> named_stages(std::vector<StageUse> uses) {
    for (StageUse& use : uses) {
        use.stage = stage_of(use);
        if (use.op == "attend") use.weights.clear();  // it reads the cache
    }
    return uses;
}

}  // namespace tinyllm
