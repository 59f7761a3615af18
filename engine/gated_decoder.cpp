#include "engine/gated_decoder.h"

#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/step.h"

namespace tinyllm {

GatedDecoder::GatedDecoder(const Config& c, WeightLoader& w) : Network(c) {
    constexpr NormKind kRms = NormKind::rms;
    const std::int64_t q = c.n_heads * c.head_dim, kv = c.n_kv_heads * c.head_dim;
    embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.dim);
    for (std::int64_t i = 0; i < c.n_layers; ++i) {
        Layer l;
        l.attn_norm = w.norm(kRms, "blk.#.attn_norm", c.dim, i);
        l.qkv =
            w.linear({{"blk.#.attn_q", q}, {"blk.#.attn_k", kv}, {"blk.#.attn_v", kv}}, c.dim, c.qkv_bias, i);
        l.o = w.linear({{"blk.#.attn_output", c.dim}}, q, c.attention_out_bias, i);
        l.ffn_norm = w.norm(kRms, "blk.#.ffn_norm", c.dim, i);
        l.gate_up =
            w.linear({{"blk.#.ffn_gate", c.ff_dim}, {"blk.#.ffn_up", c.ff_dim}}, c.dim, c.mlp_bias, i);
        l.down = w.linear({{"blk.#.ffn_down", c.dim}}, c.ff_dim, c.mlp_bias, i);
        layers_.push_back(std::move(l));
    }
    norm_ = w.norm(kRms, "output_norm", c.dim);
    head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
}

Rows GatedDecoder::begin(Step& s) const {
    return s.embed(embedding_);
}

void GatedDecoder::layer(Step& s, Rows x, std::int64_t i) const {
    const Layer& l = layers_[static_cast<std::size_t>(i)];
    const Rows q = s.qkv(x, l.attn_norm, l.qkv, i);
    s.linear_add(s.attend(q, i), l.o, x);
    s.linear_add(s.glu(x, l.ffn_norm, l.gate_up, config.activation), l.down, x);
}

std::vector<TensorRule> gated_decoder_tensors(RowOrder gguf_q_rows, RowOrder gguf_k_rows) {
    return {
        {"token_embd.weight", "embed_tokens.weight"},
        {"blk.#.attn_norm.weight", "layers.#.input_layernorm.weight"},
        {"blk.#.attn_q.weight", "layers.#.self_attn.q_proj.weight", false, nullptr, gguf_q_rows},
        {"blk.#.attn_q.bias", "layers.#.self_attn.q_proj.bias", false, nullptr, gguf_q_rows},
        {"blk.#.attn_k.weight", "layers.#.self_attn.k_proj.weight", false, nullptr, gguf_k_rows},
        {"blk.#.attn_k.bias", "layers.#.self_attn.k_proj.bias", false, nullptr, gguf_k_rows},
        {"blk.#.attn_v.weight", "layers.#.self_attn.v_proj.weight"},
        {"blk.#.attn_v.bias", "layers.#.self_attn.v_proj.bias"},
        {"blk.#.attn_output.weight", "layers.#.self_attn.o_proj.weight"},
        {"blk.#.attn_output.bias", "layers.#.self_attn.o_proj.bias"},
        {"blk.#.ffn_norm.weight", "layers.#.post_attention_layernorm.weight"},
        {"blk.#.ffn_gate.weight", "layers.#.mlp.gate_proj.weight"},
        {"blk.#.ffn_gate.bias", "layers.#.mlp.gate_proj.bias"},
        {"blk.#.ffn_up.weight", "layers.#.mlp.up_proj.weight"},
        {"blk.#.ffn_up.bias", "layers.#.mlp.up_proj.bias"},
        {"blk.#.ffn_down.weight", "layers.#.mlp.down_proj.weight"},
        {"blk.#.ffn_down.bias", "layers.#.mlp.down_proj.bias"},
        {"output_norm.weight", "norm.weight"},
        {"output.weight", "lm_head.weight"},
    };
}

Config read_gated_decoder(const HfConfig& json) {
    Config c;
    c.dim = json.size("hidden_size");
    c.n_layers = json.size("num_hidden_layers");
    c.n_heads = json.size("num_attention_heads");
    c.n_kv_heads = json.size("num_key_value_heads", c.n_heads);
    if (!json.has("head_dim") && c.dim % c.n_heads != 0) {
        fail(ErrorKind::corrupt,
             "{}: hidden_size {} is no multiple of num_attention_heads {}, and head_dim is not given",
             json.file(), c.dim, c.n_heads);
    }
    c.head_dim = json.size("head_dim", c.dim / c.n_heads);
    c.ff_dim = json.size("intermediate_size");
    c.vocab_size = json.size("vocab_size");
    c.norm_eps = static_cast<float>(json.number("rms_norm_eps", 1e-6));
    c.activation = json.activation("hidden_act", "silu");
    c.rope = read_rope(json, c.head_dim, 10000);
    c.tied_head = json.boolean("tie_word_embeddings", false);
    return c;
}

Config read_gated_decoder(const GgufConfig& keys) {
    const GgufFile& file = keys.file();
    Config c;
    c.dim = keys.size("embedding_length");
    c.n_layers = keys.size("block_count");
    c.n_heads = keys.size("attention.head_count");
    c.n_kv_heads = keys.size("attention.head_count_kv", c.n_heads);
    c.head_dim = keys.size("attention.key_length", c.dim / c.n_heads);
    if (keys.size("attention.value_length", c.head_dim) != c.head_dim) {
        fail(ErrorKind::unsupported, "{}: keys and values of different width", file.path());
    }
    c.ff_dim = keys.size("feed_forward_length");
    c.vocab_size = keys.vocab_size();
    c.context = keys.size("context_length");
    c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon"));
    c.activation = keys.activation(Activation::silu);
    c.rope.dims = static_cast<std::int32_t>(keys.size("rope.dimension_count", c.head_dim));
    c.rope.theta = keys.number("rope.freq_base", 10000);
    const std::string scaling = keys.string("rope.scaling.type", "linear");
    if (scaling != "linear" && scaling != "none") {
        fail(ErrorKind::unsupported, "{}: rope scaling type \"{}\" is not supported; known are none, linear",
             file.path(), scaling);
    }
    const double factor = keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 0));
    if (scaling == "linear" && factor != 0) c.rope.linear_factor = factor;
    if (const TensorView* factors = file.find("rope_freqs.weight")) c.rope.factors = to_f32(*factors);
    if (keys.integer("attention.sliding_window", 0) != 0) {
        c.window = static_cast<std::int32_t>(keys.size("attention.sliding_window"));
    }
    c.tied_head = !file.find("output.weight");
    c.qkv_bias = file.find("blk.0.attn_q.bias");
    c.attention_out_bias = file.find("blk.0.attn_output.bias");
    c.mlp_bias = file.find("blk.0.ffn_down.bias");
    keys.ignore({"rope.scaling.original_context_length", "rope.scaling.finetuned", "tensor_data_layout"});
    return c;
}

void write_gated_decoder(const Config& c, const std::string& architecture, GgufWriter& out) {
    const auto key = [&](const char* name) { return architecture + "." + name; };
    const auto u32 = [&](const char* name, std::int64_t value) {
        out.set_u32(key(name), static_cast<std::uint32_t>(value));
    };
    u32("vocab_size", c.vocab_size);
    u32("context_length", c.context);
    u32("embedding_length", c.dim);
    u32("block_count", c.n_layers);
    u32("feed_forward_length", c.ff_dim);
    u32("attention.head_count", c.n_heads);
    u32("attention.head_count_kv", c.n_kv_heads);
    u32("attention.key_length", c.head_dim);
    u32("attention.value_length", c.head_dim);
    u32("rope.dimension_count", c.rope.dims);
    out.set_f32(key("rope.freq_base"), static_cast<float>(c.rope.theta));
    out.set_f32(key("attention.layer_norm_rms_epsilon"), c.norm_eps);
    if (c.rope.linear_factor != 1) {
        out.set_string(key("rope.scaling.type"), "linear");
        out.set_f32(key("rope.scaling.factor"), static_cast<float>(c.rope.linear_factor));
    }
    if (c.window) u32("attention.sliding_window", c.window);
    if (c.activation != Activation::silu)
        out.set_string(key("activation"), std::string(activation_name(c.activation)));
    if (!c.rope.factors.empty()) {
        const auto* bytes = reinterpret_cast<const std::byte*>(c.rope.factors.data());
        const std::vector<std::byte> data(bytes, bytes + c.rope.factors.size() * sizeof(float));
        out.add_tensor("rope_freqs.weight", DType::f32, {std::ssize(c.rope.factors)},
                       [data] { return data; });
    }
}

}  // namespace tinyllm
