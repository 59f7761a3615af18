// GPT-NeoX (Pythia): layer norm, rope on a part of each head, attention and MLP side by side or one after the
// other. Hugging Face interleaves q, k and v head by head; GGUF and the engine stack them.
#include "engine/architecture.h"
#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/plain_decoder.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

Config from_hf(const HfConfig& json) {
    Config c;
    c.dim = json.size("hidden_size");
    c.n_layers = json.size("num_hidden_layers");
    c.n_heads = json.size("num_attention_heads");
    c.ff_dim = json.size("intermediate_size");
    c.vocab_size = json.size("vocab_size");
    c.context = json.size("max_position_embeddings", 2048);
    c.norm_eps = static_cast<float>(json.number("layer_norm_eps", 1e-5));
    c.activation = json.activation("hidden_act", "gelu");
    c.parallel_residual = json.boolean("use_parallel_residual", true);
    c.tied_head = json.boolean("tie_word_embeddings", false);
    c.qkv_bias = c.attention_out_bias = json.boolean("attention_bias", true);
    c.mlp_bias = true;
    split_heads(c, json.file());
    const double part = json.number("partial_rotary_factor", json.number("rotary_pct", 0.25));
    if (!(part >= 0 && part <= 1))
        fail(ErrorKind::corrupt, "{}: rotary_pct: expected 0 to 1, found {}", json.file(), part);
    const auto dims = static_cast<std::int64_t>(static_cast<double>(c.head_dim) * part);
    c.rope = read_rope(json, dims, json.number("rotary_emb_base", 10000));
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    Config c = read_plain_sizes(keys);
    c.activation = keys.activation(Activation::gelu);
    c.parallel_residual = keys.boolean("use_parallel_residual", true);
    c.qkv_bias = keys.file().find("blk.0.attn_qkv.bias");
    c.attention_out_bias = keys.file().find("blk.0.attn_output.bias");
    c.mlp_bias = true;
    c.rope.dims = static_cast<std::int32_t>(keys.integer("rope.dimension_count", c.head_dim));
    c.rope.theta = keys.number("rope.freq_base", 10000);
    const std::string scaling = keys.string("rope.scaling.type", "linear");
    if (scaling != "linear" && scaling != "none") {
        fail(ErrorKind::unsupported, "{}: rope scaling type \"{}\" is not supported; known are none, linear",
             keys.file().path(), scaling);
    }
    const double factor = keys.number("rope.scaling.factor", 0);
    if (scaling == "linear" && factor != 0) c.rope.linear_factor = factor;
    keys.ignore({"tensor_data_layout"});
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    if (!c.rope.factors.empty()) {
        fail(ErrorKind::unsupported, "{}: GGUF has no place for llama3 rope scaling of gptneox", c.file);
    }
    write_plain_sizes(c, "gptneox", out);
    out.set_u32("gptneox.rope.dimension_count", static_cast<std::uint32_t>(c.rope.dims));
    out.set_f32("gptneox.rope.freq_base", static_cast<float>(c.rope.theta));
    out.set_bool("gptneox.use_parallel_residual", c.parallel_residual);
    if (c.rope.linear_factor != 1) {
        out.set_string("gptneox.rope.scaling.type", "linear");
        out.set_f32("gptneox.rope.scaling.factor", static_cast<float>(c.rope.linear_factor));
    }
    out.set_string("gptneox.activation", std::string(activation_name(c.activation)));
}

std::vector<std::int32_t> qkv_rows(const Config& c) {
    return interleaved_qkv_rows(c.n_heads, c.head_dim);
}

class GptNeoX final : public Network {
  public:
    GptNeoX(const Config& c, WeightLoader& w) : Network(c) {
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.dim);
        layers_ = load_plain_layers(c, w, QkvTensors::one);
        norm_ = w.norm(NormKind::layer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
    }

    Rows begin(Step& s) const override { return s.embed(embedding_); }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const PlainLayer& l = layers_[static_cast<std::size_t>(i)];
        Rows h;
        if (config.parallel_residual)
            h = s.linear(x, l.ffn_norm, l.up, config.activation);  // both branches read the old x
        const Rows q = s.qkv(x, l.attn_norm, l.qkv, i);
        s.linear_add(s.attend(q, i), l.o, x);
        if (!config.parallel_residual) h = s.linear(x, l.ffn_norm, l.up, config.activation);
        s.linear_add(h, l.down, x);
    }

    Head head() const override { return {norm_, &head_}; }

  private:
    Matrix embedding_, head_;
    std::vector<PlainLayer> layers_;
    Norm norm_;
};

}  // namespace

const Architecture& architecture_gpt_neox() {
    static const Architecture kGptNeoX{
        "gptneox",
        {"gpt_neox"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<GptNeoX>,
        {
            {"token_embd.weight", "embed_in.weight"},
            {"blk.#.attn_norm.weight", "layers.#.input_layernorm.weight"},
            {"blk.#.attn_norm.bias", "layers.#.input_layernorm.bias"},
            {"blk.#.attn_qkv.weight", "layers.#.attention.query_key_value.weight", false, qkv_rows},
            {"blk.#.attn_qkv.bias", "layers.#.attention.query_key_value.bias", false, qkv_rows},
            {"blk.#.attn_output.weight", "layers.#.attention.dense.weight"},
            {"blk.#.attn_output.bias", "layers.#.attention.dense.bias"},
            {"blk.#.ffn_norm.weight", "layers.#.post_attention_layernorm.weight"},
            {"blk.#.ffn_norm.bias", "layers.#.post_attention_layernorm.bias"},
            {"blk.#.ffn_up.weight", "layers.#.mlp.dense_h_to_4h.weight"},
            {"blk.#.ffn_up.bias", "layers.#.mlp.dense_h_to_4h.bias"},
            {"blk.#.ffn_down.weight", "layers.#.mlp.dense_4h_to_h.weight"},
            {"blk.#.ffn_down.bias", "layers.#.mlp.dense_4h_to_h.bias"},
            {"output_norm.weight", "final_layer_norm.weight"},
            {"output_norm.bias", "final_layer_norm.bias"},
            {"output.weight", "embed_out.weight"},
        },
        {"gpt_neox."},
        {"layers.#.attention.bias", "layers.#.attention.masked_bias",
         "layers.#.attention.rotary_emb.inv_freq"},
        {},
    };
    return kGptNeoX;
}

}  // namespace tinyllm
