#include "engine/mixture.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "tinyllm/convert.h"

namespace tinyllm {
namespace {

std::span<const Mixture> mixtures() {
    using enum WeightKind;
    using enum DType;
    // Every head but q8_0's is q6_k.
    constexpr auto whole = Layers::all;
    constexpr auto always = Given::always;
    static const Mixture kMixtures[] = {
        {"Q8_0", 7, q8_0, {}},
        {"Q6_K", 18, q6_k, {}},
        {"Q5_K_M",
         17,
         q5_k,
         {{values, Layers::sensitive, always, q6_k}, {ffn_down, Layers::sensitive, always, q6_k}}},
        {"Q5_K_S", 16, q5_k, {}},
        {"Q5_1", 9, q5_1, {}},
        {"Q5_0", 8, q5_0, {{ffn_down, Layers::first_eighth, Given::importance, q5_1}}},
        {"Q4_K_M",
         15,
         q4_k,
         {{values, Layers::sensitive, always, q6_k}, {ffn_down, Layers::sensitive, always, q6_k}}},
        {"Q4_K_S",
         14,
         q4_k,
         {{values, Layers::first_four, always, q5_k}, {ffn_down, Layers::first_eighth, always, q5_k}}},
        {"Q4_1", 3, q4_1, {}},
        {"Q4_0", 2, q4_0, {{ffn_down, Layers::first_eighth, Given::importance, q4_1}}},
        {"IQ4_NL",
         25,
         iq4_nl,
         {{values, whole, Given::shared_values, q5_k},
          {ffn_down, Layers::first_eighth, Given::no_importance, q5_k}}},
        {"Q3_K_L",
         13,
         q3_k,
         {{values, whole, always, q5_k},
          {ffn_down, whole, always, q5_k},
          {attention_output, whole, always, q5_k}}},
        {"Q3_K_M",
         12,
         q3_k,
         {{values, Layers::first_two, always, q5_k},
          {values, whole, always, q4_k},
          {ffn_down, Layers::first_sixteenth, always, q5_k},
          {ffn_down, whole, always, q4_k},
          {attention_output, whole, always, q4_k}}},
        {"Q3_K_S", 11, q3_k, {}},
        {"Q2_K",
         10,
         q2_k,
         {{values, whole, Given::shared_values, q4_k},
          {values, whole, always, q3_k},
          {ffn_down, whole, always, q3_k},
          {attention_output, whole, always, q3_k}}},
    };
    return kMixtures;
}

WeightKind weight_kind(std::string_view name, bool tied) {
    using enum WeightKind;
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    if (name == "output.weight" || (tied && name == "token_embd.weight")) return head;
    if (name == "token_embd.weight") return embedding;
    if (has("attn_v.weight") || has("attn_qkv.weight")) return values;
    if (has("ffn_down")) return ffn_down;
    if (has("attn_output.weight")) return attention_output;
    return other;
}

/// `i`: the how manieth of the n of its kind.
bool covers(Layers layers, std::int64_t i, std::int64_t n) {
    switch (layers) {
        case Layers::all:
            return true;
        case Layers::first_two:
            return i < 2;
        case Layers::first_four:
            return i < 4;
        case Layers::first_sixteenth:
            return i < n / 16;
        case Layers::first_eighth:
            return i < n / 8;
        case Layers::sensitive:
            return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    }
    return false;
}

bool holds(Given given, const MixtureModel& model) {
    switch (given) {
        case Given::always:
            return true;
        case Given::shared_values:
            return model.heads_per_kv_head >= 4;
        case Given::importance:
            return model.has_importance;
        case Given::no_importance:
            return !model.has_importance;
    }
    return false;
}

/// Weights are counted layer by layer ("blk.<layer>."), the others before them; equals by name.
std::pair<std::int64_t, std::string_view> place_of(std::string_view name) {
    std::int64_t layer = -1;
    if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    return {layer, name};
}

}  // namespace

const Mixture* find_mixture(std::string_view name) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    for (const Mixture& mixture : mixtures()) {
        if (std::ranges::equal(mixture.name, name, {}, {}, upper)) return &mixture;
    }
    return nullptr;
}

std::vector<std::string_view> mixture_names() {
    std::vector<std::string_view> names;
    for (const Mixture& mixture : mixtures()) names.push_back(mixture.name);
    return names;
}

std::map<std::string, DType> mixture_types(const Mixture& mixture, std::span<const std::string> names,
                                           const MixtureModel& model) {
    std::vector<std::string> ordered(names.begin(), names.end());
    std::ranges::sort(ordered, {}, place_of);
    const bool tied = std::ranges::count(names, "output.weight") == 0;
    std::int64_t n_values = 0;
    for (const std::string& name : ordered) n_values += weight_kind(name, tied) == WeightKind::values;
    std::int64_t values_seen = 0, downs_seen = 0;
    std::map<std::string, DType> types;
    for (const std::string& name : ordered) {
        const WeightKind kind = weight_kind(name, tied);
        DType& type = types[name];
        type = kind == WeightKind::head && mixture.base != DType::q8_0 ? DType::q6_k : mixture.base;
        const std::int64_t i = kind == WeightKind::values     ? values_seen++
                               : kind == WeightKind::ffn_down ? downs_seen++
                                                              : 0;
        const std::int64_t n = kind == WeightKind::values ? n_values : model.n_layers;
        for (const MixtureRule& rule : mixture.rules) {
            if (rule.kind != kind || !covers(rule.layers, i, n) || !holds(rule.given, model)) continue;
            type = rule.type;
            break;
        }
    }
    return types;
}

}  // namespace tinyllm
