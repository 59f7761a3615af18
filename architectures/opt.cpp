// OPT: learned positions that begin at row 2, layer norm before or (350m) behind each branch, ReLU, tied
// head; 350m embeds in a narrower width, with projections in and out and no final norm.
#include "engine/architecture.h"
#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/network.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

constexpr std::int32_t kFirstPosition = 2;

void derive(Config& c, const std::string& file) {
    c.n_kv_heads = c.n_heads;
    if (c.dim % c.n_heads != 0)
        fail(ErrorKind::corrupt, "{}: width {} is no multiple of {} heads", file, c.dim, c.n_heads);
    c.head_dim = c.dim / c.n_heads;
}

Config from_hf(const HfConfig& json) {
    Config c;
    c.dim = json.size("hidden_size");
    c.embedding_dim = json.size("word_embed_proj_dim", c.dim);
    c.n_layers = json.size("num_hidden_layers");
    c.n_heads = json.size("num_attention_heads");
    c.ff_dim = json.size("ffn_dim");
    c.vocab_size = json.size("vocab_size");
    c.context = json.size("max_position_embeddings", 2048);
    c.norm_eps = 1e-5f;  // torch's own; no key
    c.activation = json.activation("activation_function", "relu");
    c.norm_after = !json.boolean("do_layer_norm_before", true);
    c.final_norm = !c.norm_after && !json.boolean("_remove_final_layer_norm", false);
    c.tied_head = json.boolean("tie_word_embeddings", true);
    c.qkv_bias = c.attention_out_bias = c.mlp_bias = json.boolean("enable_bias", true);
    json.require_bool("layer_norm_elementwise_affine", true);
    derive(c, json.file());
    return c;
}

// llama.cpp does not know OPT: the keys are ours, in its spirit.
Config from_gguf(const GgufConfig& keys) {
    Config c;
    c.dim = keys.size("embedding_length");
    c.embedding_dim = keys.size("token_embedding_length", c.dim);
    c.n_layers = keys.size("block_count");
    c.n_heads = keys.size("attention.head_count");
    c.ff_dim = keys.size("feed_forward_length");
    c.vocab_size = keys.vocab_size();
    c.context = keys.size("context_length");
    c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_epsilon"));
    c.activation = keys.activation(Activation::relu);
    c.norm_after = keys.boolean("norm_after", false);
    const GgufFile& file = keys.file();
    c.final_norm = file.find("output_norm.weight");
    c.tied_head = !file.find("output.weight");
    c.qkv_bias = file.find("blk.0.attn_q.bias");
    c.attention_out_bias = file.find("blk.0.attn_output.bias");
    c.mlp_bias = file.find("blk.0.ffn_up.bias");
    derive(c, file.path());
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    const auto u32 = [&](const char* key, std::int64_t value) {
        out.set_u32(std::string("opt.") + key, static_cast<std::uint32_t>(value));
    };
    u32("context_length", c.context);
    u32("embedding_length", c.dim);
    u32("token_embedding_length", c.embedding_dim);
    u32("block_count", c.n_layers);
    u32("feed_forward_length", c.ff_dim);
    u32("attention.head_count", c.n_heads);
    out.set_f32("opt.attention.layer_norm_epsilon", c.norm_eps);
    out.set_bool("opt.norm_after", c.norm_after);
    out.set_string("opt.activation", std::string(activation_name(c.activation)));
}

struct Layer {
    Norm attn_norm;
    Linear qkv;
    Linear o;
    Norm ffn_norm;
    Linear up;
    Linear down;
};

class Opt final : public Network {
  public:
    Opt(const Config& c, WeightLoader& w) : Network(c) {
        constexpr NormKind kLayer = NormKind::layer;
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.embedding_dim);
        positions_ = w.table("position_embd", c.context + kFirstPosition, c.dim);
        if (projected()) {
            in_ = w.linear({{"project_in", c.dim}}, c.embedding_dim, false);
            out_ = w.linear({{"project_out", c.embedding_dim}}, c.dim, false);
        }
        for (std::int64_t i = 0; i < c.n_layers; ++i) {
            Layer l;
            l.attn_norm = w.norm(kLayer, "blk.#.attn_norm", c.dim, i);
            l.qkv = w.linear({{"blk.#.attn_q", c.dim}, {"blk.#.attn_k", c.dim}, {"blk.#.attn_v", c.dim}},
                             c.dim, c.qkv_bias, i);
            l.o = w.linear({{"blk.#.attn_output", c.dim}}, c.dim, c.attention_out_bias, i);
            l.ffn_norm = w.norm(kLayer, "blk.#.ffn_norm", c.dim, i);
            l.up = w.linear({{"blk.#.ffn_up", c.ff_dim}}, c.dim, c.mlp_bias, i);
            l.down = w.linear({{"blk.#.ffn_down", c.dim}}, c.ff_dim, c.mlp_bias, i);
            layers_.push_back(std::move(l));
        }
        if (c.final_norm) norm_ = w.norm(kLayer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.embedding_dim);
    }

    Rows begin(Step& s) const override {
        if (!projected()) return s.embed(embedding_, &positions_, kFirstPosition);
        const Rows x = s.positions(positions_, kFirstPosition);
        s.linear_add(s.embed(embedding_), in_, x);
        return x;
    }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const Layer& l = layers_[static_cast<std::size_t>(i)];
        const bool after = config.norm_after;
        const Rows q = s.qkv(x, after ? kNoNorm : l.attn_norm, l.qkv, i);
        s.linear_add(s.attend(q, i), l.o, x);
        if (after) s.norm(x, l.attn_norm);
        s.linear_add(s.linear(x, after ? kNoNorm : l.ffn_norm, l.up, config.activation), l.down, x);
        if (after) s.norm(x, l.ffn_norm);
    }

    Rows end(Step& s, Rows x) const override { return projected() ? s.linear(x, norm_, out_) : x; }

    Head head() const override { return {projected() ? kNoNorm : norm_, &head_}; }

  private:
    bool projected() const { return config.embedding_dim != config.dim; }

    Matrix embedding_, positions_, head_;
    Linear in_, out_;
    std::vector<Layer> layers_;
    Norm norm_;
};

}  // namespace

const Architecture& architecture_opt() {
    static const Architecture kOpt{
        "opt",
        {"opt"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<Opt>,
        {
            {"token_embd.weight", "embed_tokens.weight"},
            {"position_embd.weight", "embed_positions.weight"},
            {"project_in.weight", "project_in.weight"},
            {"project_out.weight", "project_out.weight"},
            {"blk.#.attn_norm.weight", "layers.#.self_attn_layer_norm.weight"},
            {"blk.#.attn_norm.bias", "layers.#.self_attn_layer_norm.bias"},
            {"blk.#.attn_q.weight", "layers.#.self_attn.q_proj.weight"},
            {"blk.#.attn_q.bias", "layers.#.self_attn.q_proj.bias"},
            {"blk.#.attn_k.weight", "layers.#.self_attn.k_proj.weight"},
            {"blk.#.attn_k.bias", "layers.#.self_attn.k_proj.bias"},
            {"blk.#.attn_v.weight", "layers.#.self_attn.v_proj.weight"},
            {"blk.#.attn_v.bias", "layers.#.self_attn.v_proj.bias"},
            {"blk.#.attn_output.weight", "layers.#.self_attn.out_proj.weight"},
            {"blk.#.attn_output.bias", "layers.#.self_attn.out_proj.bias"},
            {"blk.#.ffn_norm.weight", "layers.#.final_layer_norm.weight"},
            {"blk.#.ffn_norm.bias", "layers.#.final_layer_norm.bias"},
            {"blk.#.ffn_up.weight", "layers.#.fc1.weight"},
            {"blk.#.ffn_up.bias", "layers.#.fc1.bias"},
            {"blk.#.ffn_down.weight", "layers.#.fc2.weight"},
            {"blk.#.ffn_down.bias", "layers.#.fc2.bias"},
            {"output_norm.weight", "final_layer_norm.weight"},
            {"output_norm.bias", "final_layer_norm.bias"},
            {"output.weight", "lm_head.weight"},
        },
        {"model.decoder.", "decoder."},
        {},
        {},
    };
    return kOpt;
}

}  // namespace tinyllm
