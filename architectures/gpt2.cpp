// GPT-2 (Cerebras-GPT and LaMini-GPT included): layer norm, learned positions, fused q|k|v, plain MLP.
// Hugging Face stores its weights as Conv1D, (inputs, outputs); GGUF has them the usual way round. llama.cpp
// knows only the tanh form of gelu here; another activation, or attention that is not scaled as usual, is
// written under keys of our own.
#include "engine/architecture.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/plain_decoder.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

Config from_hf(const HfConfig& json) {
    Config c;
    c.dim = json.size("n_embd", 768);
    c.n_layers = json.size("n_layer", 12);
    c.n_heads = json.size("n_head", 12);
    c.ff_dim = json.size("n_inner", 4 * c.dim);
    c.vocab_size = json.size("vocab_size", 50257);
    c.context = json.size("n_positions", 1024);
    c.norm_eps = static_cast<float>(json.number("layer_norm_epsilon", 1e-5));
    c.activation = json.activation("activation_function", "gelu_new");
    c.scale_attention = json.boolean("scale_attn_weights", true);
    c.scale_attention_by_layer = json.boolean("scale_attn_by_inverse_layer_idx", false);
    c.tied_head = json.boolean("tie_word_embeddings", true);
    json.require_bool("add_cross_attention", false);
    json.ignore({"reorder_and_upcast_attn"});  // a matter of half precision
    c.qkv_bias = c.attention_out_bias = c.mlp_bias = true;
    split_heads(c, json.file());
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    Config c = read_plain_sizes(keys);
    c.activation = keys.activation(Activation::gelu_tanh);
    c.scale_attention = keys.boolean("attention.scaled", true);
    c.scale_attention_by_layer = keys.boolean("attention.scaled_by_layer", false);
    c.qkv_bias = c.attention_out_bias = c.mlp_bias = true;
    keys.ignore({"tensor_data_layout", "rope.dimension_count"});
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    write_plain_sizes(c, "gpt2", out);
    if (c.activation != Activation::gelu_tanh)
        out.set_string("gpt2.activation", std::string(activation_name(c.activation)));
    if (!c.scale_attention) out.set_bool("gpt2.attention.scaled", false);
    if (c.scale_attention_by_layer) out.set_bool("gpt2.attention.scaled_by_layer", true);
}

class Gpt2 final : public Network {
  public:
    Gpt2(const Config& c, WeightLoader& w) : Network(c) {
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.dim);
        positions_ = w.table("position_embd", c.context, c.dim);
        layers_ = load_plain_layers(c, w, QkvTensors::one);
        norm_ = w.norm(NormKind::layer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
    }

    Rows begin(Step& s) const override { return s.embed(embedding_, &positions_); }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const PlainLayer& l = layers_[static_cast<std::size_t>(i)];
        const Rows q = s.qkv(x, l.attn_norm, l.qkv, i);
        s.linear_add(s.attend(q, i), l.o, x);
        s.linear_add(s.linear(x, l.ffn_norm, l.up, config.activation), l.down, x);
    }

    Head head() const override { return {norm_, &head_}; }

  private:
    Matrix embedding_, positions_, head_;
    std::vector<PlainLayer> layers_;
    Norm norm_;
};

}  // namespace

const Architecture& architecture_gpt2() {
    static const Architecture kGpt2{
        "gpt2",
        {"gpt2"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<Gpt2>,
        {
            {"token_embd.weight", "wte.weight"},
            {"position_embd.weight", "wpe.weight"},
            {"blk.#.attn_norm.weight", "h.#.ln_1.weight"},
            {"blk.#.attn_norm.bias", "h.#.ln_1.bias"},
            {"blk.#.attn_qkv.weight", "h.#.attn.c_attn.weight", true},
            {"blk.#.attn_qkv.bias", "h.#.attn.c_attn.bias"},
            {"blk.#.attn_output.weight", "h.#.attn.c_proj.weight", true},
            {"blk.#.attn_output.bias", "h.#.attn.c_proj.bias"},
            {"blk.#.ffn_norm.weight", "h.#.ln_2.weight"},
            {"blk.#.ffn_norm.bias", "h.#.ln_2.bias"},
            {"blk.#.ffn_up.weight", "h.#.mlp.c_fc.weight", true},
            {"blk.#.ffn_up.bias", "h.#.mlp.c_fc.bias"},
            {"blk.#.ffn_down.weight", "h.#.mlp.c_proj.weight", true},
            {"blk.#.ffn_down.bias", "h.#.mlp.c_proj.bias"},
            {"output_norm.weight", "ln_f.weight"},
            {"output_norm.bias", "ln_f.bias"},
            {"output.weight", "lm_head.weight"},
        },
        {"transformer."},
        {"h.#.attn.bias", "h.#.attn.masked_bias"},
        {},
    };
    return kGpt2;
}

}  // namespace tinyllm
