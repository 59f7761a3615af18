// Small random models written to a folder the way Hugging Face does, with every detail under the test's
// control.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "files/support.h"
#include "kernels/quant.h"

namespace tinyllm {

struct ToyTensor {
    DType type = DType::f32;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

using ToyTensors = std::map<std::string, ToyTensor>;

/// Repeatable values around `center`, of the size that keeps logits apart.
inline ToyTensor toy_tensor(DType type, std::vector<std::int64_t> shape, float center = 0) {
    static std::uint32_t state = 12345;
    ToyTensor tensor{type, std::move(shape), {}};
    std::int64_t n = 1;
    for (const std::int64_t dim : tensor.shape) n *= dim;
    for (std::int64_t i = 0; i < n; ++i) {
        state = state * 1664525u + 1013904223u;
        tensor.values.push_back(center + (static_cast<float>(state >> 8) / 16777216.0f - 0.5f) * 0.5f);
    }
    return tensor;
}

inline void write_safetensors(const std::string& path, const ToyTensors& tensors) {
    nlohmann::json header;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const TypeTraits& type = traits(tensor.type);
        const std::size_t begin = data.size();
        data.resize(begin + tensor.values.size() * type.block_bytes);
        type.from_f32(tensor.values.data(), data.data() + begin,
                      static_cast<std::int64_t>(tensor.values.size()));
        const char* dtype = tensor.type == DType::f32 ? "F32" : tensor.type == DType::f16 ? "F16" : "BF16";
        header[name] = {{"dtype", dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    write_bytes(path, raw<std::uint64_t>(text.size()) + text + data);
}

struct ToyModel {
    nlohmann::json config;
    ToyTensors tensors;
    void write(const TemporaryFolder& folder) const {
        write_bytes(folder / "config.json", config.dump());
        write_safetensors(folder / "model.safetensors", tensors);
    }
};

/// Two layers, grouped-query attention, tied head unless told otherwise.
inline ToyModel toy_llama(DType type, bool tied = true, std::int64_t dim = 64) {
    const std::int64_t heads = 4, kv_heads = 2, head_dim = 16, ff = 96, vocab = 80;
    ToyModel model;
    model.config = {{"model_type", "llama"},
                    {"hidden_size", dim},
                    {"num_hidden_layers", 2},
                    {"num_attention_heads", heads},
                    {"num_key_value_heads", kv_heads},
                    {"head_dim", head_dim},
                    {"intermediate_size", ff},
                    {"vocab_size", vocab},
                    {"max_position_embeddings", 64},
                    {"rms_norm_eps", 1e-5},
                    {"hidden_act", "silu"},
                    {"tie_word_embeddings", tied},
                    {"rope_theta", 10000.0}};
    ToyTensors& t = model.tensors;
    t["model.embed_tokens.weight"] = toy_tensor(type, {vocab, dim});
    t["model.norm.weight"] = toy_tensor(type, {dim}, 1);
    if (!tied) t["lm_head.weight"] = toy_tensor(type, {vocab, dim});
    for (int i = 0; i < 2; ++i) {
        const std::string p = "model.layers." + std::to_string(i) + ".";
        t[p + "input_layernorm.weight"] = toy_tensor(type, {dim}, 1);
        t[p + "post_attention_layernorm.weight"] = toy_tensor(type, {dim}, 1);
        t[p + "self_attn.q_proj.weight"] = toy_tensor(type, {heads * head_dim, dim});
        t[p + "self_attn.k_proj.weight"] = toy_tensor(type, {kv_heads * head_dim, dim});
        t[p + "self_attn.v_proj.weight"] = toy_tensor(type, {kv_heads * head_dim, dim});
        t[p + "self_attn.o_proj.weight"] = toy_tensor(type, {dim, heads * head_dim});
        t[p + "mlp.gate_proj.weight"] = toy_tensor(type, {ff, dim});
        t[p + "mlp.up_proj.weight"] = toy_tensor(type, {ff, dim});
        t[p + "mlp.down_proj.weight"] = toy_tensor(type, {dim, ff});
    }
    return model;
}

/// One layer; Conv1D weights stand as (inputs, outputs).
inline ToyModel toy_gpt2(DType type) {
    const std::int64_t dim = 32, vocab = 50, positions = 48;
    ToyModel model;
    model.config = {{"model_type", "gpt2"},
                    {"n_embd", dim},
                    {"n_layer", 1},
                    {"n_head", 2},
                    {"n_positions", positions},
                    {"vocab_size", vocab},
                    {"layer_norm_epsilon", 1e-5},
                    {"activation_function", "gelu_new"}};
    ToyTensors& t = model.tensors;
    t["transformer.wte.weight"] = toy_tensor(type, {vocab, dim});
    t["transformer.wpe.weight"] = toy_tensor(type, {positions, dim});
    const std::string p = "transformer.h.0.";
    for (const std::string& norm : std::vector{p + "ln_1", p + "ln_2", std::string("transformer.ln_f")}) {
        t[norm + ".weight"] = toy_tensor(type, {dim}, 1);
        t[norm + ".bias"] = toy_tensor(type, {dim});
    }
    const auto conv = [&](const std::string& name, std::int64_t in, std::int64_t out) {
        t[p + name + ".weight"] = toy_tensor(type, {in, out});
        t[p + name + ".bias"] = toy_tensor(type, {out});
    };
    conv("attn.c_attn", dim, 3 * dim);
    conv("attn.c_proj", dim, dim);
    conv("mlp.c_fc", dim, 4 * dim);
    conv("mlp.c_proj", 4 * dim, dim);
    return model;
}

}  // namespace tinyllm
