// Looking up architectures and their tensors by name.
#include "engine/architecture.h"

#include <algorithm>
#include <charconv>

#include "engine/config.h"
#include "engine/fail.h"

namespace tinyllm {

std::vector<const Architecture& (*)()> all_architectures();  // generated

const Architecture* find_architecture_by_name(std::string_view gguf_name) {
    for (auto get : all_architectures()) {
        if (get().name == gguf_name) return &get();
    }
    return nullptr;
}

const Architecture* find_architecture_by_model_type(std::string_view model_type) {
    for (auto get : all_architectures()) {
        for (auto type : get().model_types) {
            if (type == model_type) return &get();
        }
    }
    return nullptr;
}

std::vector<std::string_view> architecture_names() {
    std::vector<std::string_view> names;
    for (auto get : all_architectures()) names.push_back(get().name);
    return names;
}

std::string layer_name(std::string_view pattern, std::int64_t layer) {
    const auto at = pattern.find('#');
    if (at == pattern.npos) return std::string(pattern);
    return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 1));
}

namespace {

// -2: no match; -1: match without layer.
std::int64_t match_pattern(std::string_view pattern, std::string_view name) {
    const auto at = pattern.find('#');
    if (at == pattern.npos) return pattern == name ? -1 : -2;
    const auto head = pattern.substr(0, at);
    const auto tail = pattern.substr(at + 1);
    if (name.size() <= head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
        return -2;
    const auto digits = name.substr(head.size(), name.size() - head.size() - tail.size());
    if (digits.size() > 1 && digits[0] == '0') return -2;
    std::int64_t layer = -2;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    return error == std::errc{} && end == digits.data() + digits.size() && layer >= 0 ? layer : -2;
}

RuleMatch match(const Architecture& architecture, std::string_view TensorRule::*member,
                std::string_view name) {
    for (const TensorRule& rule : architecture.tensors) {
        const std::int64_t layer = match_pattern(rule.*member, name);
        if (layer < -1) continue;
        // The first of the rules for one GGUF name stands for all of them.
        const auto same = [&](const TensorRule& other) { return other.gguf == rule.gguf; };
        return {&*std::ranges::find_if(architecture.tensors, same), layer};
    }
    return {};
}

}  // namespace

RuleMatch match_gguf_name(const Architecture& architecture, std::string_view name) {
    return match(architecture, &TensorRule::gguf, name);
}

RuleMatch match_hf_name(const Architecture& architecture, std::string_view name) {
    if (const RuleMatch found = match(architecture, &TensorRule::hf, name); found.rule) return found;
    for (auto prefix : architecture.hf_prefixes) {
        if (!name.starts_with(prefix)) continue;
        const RuleMatch found = match(architecture, &TensorRule::hf, name.substr(prefix.size()));
        if (found.rule) return found;
    }
    return {};
}

bool is_ignored_hf_name(const Architecture& architecture, const Config& config, std::string_view name) {
    for (auto pattern : architecture.hf_ignored) {
        if (match_pattern(pattern, name) > -2) return true;
        for (auto prefix : architecture.hf_prefixes) {
            if (name.starts_with(prefix) && match_pattern(pattern, name.substr(prefix.size())) > -2)
                return true;
        }
    }
    const RuleMatch found = match_hf_name(architecture, name);
    return config.tied_head && found.rule && found.rule->gguf == "output.weight";
}

std::vector<std::int32_t> interleaved_rope_rows(std::int64_t n_heads, std::int64_t head_dim,
                                                std::int64_t dims) {
    std::vector<std::int32_t> order;
    order.reserve(static_cast<std::size_t>(n_heads * head_dim));
    for (std::int64_t head = 0; head < n_heads; ++head) {
        for (std::int64_t i = 0; i < head_dim; ++i) {
            const std::int64_t half = dims / 2;
            const std::int64_t stored = i >= dims ? i : i < half ? 2 * i : 2 * (i - half) + 1;
            order.push_back(static_cast<std::int32_t>(head * head_dim + stored));
        }
    }
    return order;
}

std::vector<std::int32_t> interleaved_qkv_rows(std::int64_t n_heads, std::int64_t head_dim) {
    std::vector<std::int32_t> order;
    order.reserve(static_cast<std::size_t>(3 * n_heads * head_dim));
    for (std::int64_t part = 0; part < 3; ++part) {
        for (std::int64_t head = 0; head < n_heads; ++head) {
            for (std::int64_t i = 0; i < head_dim; ++i) {
                order.push_back(static_cast<std::int32_t>((head * 3 + part) * head_dim + i));
            }
        }
    }
    return order;
}

}  // namespace tinyllm
