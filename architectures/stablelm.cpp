// StableLM 2: Llama's gated MLP and grouped-query attention under layer norms with biases, rope on a part of
// each head, residuals one after the other or (12B) side by side behind one norm.
#include "engine/architecture.h"
#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/network.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

void derive(Config& c, const std::string& file) {
    if (c.dim % c.n_heads != 0)
        fail(ErrorKind::corrupt, "{}: width {} is no multiple of {} heads", file, c.dim, c.n_heads);
    c.head_dim = c.dim / c.n_heads;
}

Config from_hf(const HfConfig& json) {
    Config c;
    c.dim = json.size("hidden_size", 2560);
    c.n_layers = json.size("num_hidden_layers", 32);
    c.n_heads = json.size("num_attention_heads", 32);
    c.n_kv_heads = json.size("num_key_value_heads", 32);
    c.ff_dim = json.size("intermediate_size", 6912);
    c.vocab_size = json.size("vocab_size", 50304);
    c.context = json.size("max_position_embeddings", 4096);
    c.norm_eps = static_cast<float>(json.number("layer_norm_eps", 1e-5));
    c.activation = json.activation("hidden_act", "silu");
    c.qkv_bias = json.boolean("use_qkv_bias", false);
    c.parallel_residual = json.boolean("use_parallel_residual", false);
    c.tied_head = json.boolean("tie_word_embeddings", false);
    json.require_bool("qk_layernorm", false);
    derive(c, json.file());
    const double part = json.number("partial_rotary_factor", 0.25);
    if (!(part >= 0 && part <= 1)) {
        fail(ErrorKind::corrupt, "{}: partial_rotary_factor: expected 0 to 1, found {}", json.file(), part);
    }
    const auto dims = static_cast<std::int64_t>(static_cast<double>(c.head_dim) * part);
    c.rope = read_rope(json, dims, 10000);
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    const GgufFile& file = keys.file();
    Config c;
    c.dim = keys.size("embedding_length");
    c.n_layers = keys.size("block_count");
    c.n_heads = keys.size("attention.head_count");
    c.n_kv_heads = keys.size("attention.head_count_kv", c.n_heads);
    c.ff_dim = keys.size("feed_forward_length");
    c.vocab_size = keys.vocab_size();
    c.context = keys.size("context_length");
    c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_epsilon"));
    c.activation = keys.activation(Activation::silu);
    c.qkv_bias = file.find("blk.0.attn_q.bias");
    c.parallel_residual = !file.find("blk.0.ffn_norm.weight");
    c.tied_head = !file.find("output.weight");
    derive(c, file.path());
    c.rope.dims = static_cast<std::int32_t>(keys.integer("rope.dimension_count"));
    c.rope.theta = keys.number("rope.freq_base", 10000);
    keys.ignore({"use_parallel_residual"});  // true in llama.cpp's files of serial models too; the norms tell
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    const auto u32 = [&](const char* key, std::int64_t value) {
        out.set_u32(std::string("stablelm.") + key, static_cast<std::uint32_t>(value));
    };
    if (!c.rope.factors.empty() || c.rope.linear_factor != 1) {
        fail(ErrorKind::unsupported, "{}: GGUF has no place for the rope scaling of stablelm", c.file);
    }
    u32("vocab_size", c.vocab_size);
    u32("context_length", c.context);
    u32("embedding_length", c.dim);
    u32("block_count", c.n_layers);
    u32("feed_forward_length", c.ff_dim);
    u32("attention.head_count", c.n_heads);
    u32("attention.head_count_kv", c.n_kv_heads);
    u32("rope.dimension_count", c.rope.dims);
    out.set_f32("stablelm.rope.freq_base", static_cast<float>(c.rope.theta));
    out.set_f32("stablelm.attention.layer_norm_epsilon", c.norm_eps);
    out.set_bool("stablelm.use_parallel_residual", c.parallel_residual);
    if (c.activation != Activation::silu)
        out.set_string("stablelm.activation", std::string(activation_name(c.activation)));
}

struct Layer {
    Norm attn_norm;
    Linear qkv;
    Linear o;
    Norm ffn_norm;
    Linear gate_up;
    Linear down;
};

class StableLm final : public Network {
  public:
    StableLm(const Config& c, WeightLoader& w) : Network(c) {
        constexpr NormKind kLayer = NormKind::layer;
        const std::int64_t kv = c.n_kv_heads * c.head_dim;
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.dim);
        for (std::int64_t i = 0; i < c.n_layers; ++i) {
            Layer l;
            l.attn_norm = w.norm(kLayer, "blk.#.attn_norm", c.dim, i);
            l.qkv = w.linear({{"blk.#.attn_q", c.dim}, {"blk.#.attn_k", kv}, {"blk.#.attn_v", kv}}, c.dim,
                             c.qkv_bias, i);
            l.o = w.linear({{"blk.#.attn_output", c.dim}}, c.dim, false, i);
            l.ffn_norm = c.parallel_residual ? l.attn_norm : w.norm(kLayer, "blk.#.ffn_norm", c.dim, i);
            l.gate_up = w.linear({{"blk.#.ffn_gate", c.ff_dim}, {"blk.#.ffn_up", c.ff_dim}}, c.dim, false, i);
            l.down = w.linear({{"blk.#.ffn_down", c.dim}}, c.ff_dim, false, i);
            layers_.push_back(std::move(l));
        }
        norm_ = w.norm(kLayer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
    }

    Rows begin(Step& s) const override { return s.embed(embedding_); }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const Layer& l = layers_[static_cast<std::size_t>(i)];
        Rows h;
        if (config.parallel_residual) h = s.glu(x, l.ffn_norm, l.gate_up, config.activation);
        const Rows q = s.qkv(x, l.attn_norm, l.qkv, i);
        s.linear_add(s.attend(q, i), l.o, x);
        if (!config.parallel_residual) h = s.glu(x, l.ffn_norm, l.gate_up, config.activation);
        s.linear_add(h, l.down, x);
    }

    Head head() const override { return {norm_, &head_}; }

  private:
    Matrix embedding_, head_;
    std::vector<Layer> layers_;
    Norm norm_;
};

}  // namespace

const Architecture& architecture_stablelm() {
    static const Architecture kStableLm{
        "stablelm",
        {"stablelm"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<StableLm>,
        {
            {"token_embd.weight", "embed_tokens.weight"},
            {"blk.#.attn_norm.weight", "layers.#.input_layernorm.weight"},
            {"blk.#.attn_norm.bias", "layers.#.input_layernorm.bias"},
            {"blk.#.attn_q.weight", "layers.#.self_attn.q_proj.weight"},
            {"blk.#.attn_q.bias", "layers.#.self_attn.q_proj.bias"},
            {"blk.#.attn_k.weight", "layers.#.self_attn.k_proj.weight"},
            {"blk.#.attn_k.bias", "layers.#.self_attn.k_proj.bias"},
            {"blk.#.attn_v.weight", "layers.#.self_attn.v_proj.weight"},
            {"blk.#.attn_v.bias", "layers.#.self_attn.v_proj.bias"},
            {"blk.#.attn_output.weight", "layers.#.self_attn.o_proj.weight"},
            {"blk.#.ffn_norm.weight", "layers.#.post_attention_layernorm.weight"},
            {"blk.#.ffn_norm.bias", "layers.#.post_attention_layernorm.bias"},
            {"blk.#.ffn_gate.weight", "layers.#.mlp.gate_proj.weight"},
            {"blk.#.ffn_up.weight", "layers.#.mlp.up_proj.weight"},
            {"blk.#.ffn_down.weight", "layers.#.mlp.down_proj.weight"},
            {"output_norm.weight", "norm.weight"},
            {"output_norm.bias", "norm.bias"},
            {"output.weight", "lm_head.weight"},
        },
        {"model."},
        {},
        {},
    };
    return kStableLm;
}

}  // namespace tinyllm
