// OPT: learned positions that begin at row 2, layer norm before or (350m) behind each branch, ReLU, tied
// head; 350m embeds in a narrower width, with projections in and out and no final norm.
#include "engine/architecture.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/plain_decoder.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

constexpr std::int32_t kFirstPosition = 2;

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
    split_heads(c, json.file());
    return c;
}

// llama.cpp does not know OPT: the keys are ours, in its spirit.
Config from_gguf(const GgufConfig& keys) {
    Config c = read_plain_sizes(keys);
    c.embedding_dim = keys.size("token_embedding_length", c.dim);
    c.activation = keys.activation(Activation::relu);
    c.norm_after = keys.boolean("norm_after", false);
    const GgufFile& file = keys.file();
    c.final_norm = file.find("output_norm.weight");
    c.qkv_bias = file.find("blk.0.attn_q.bias");
    c.attention_out_bias = file.find("blk.0.attn_output.bias");
    c.mlp_bias = file.find("blk.0.ffn_up.bias");
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    write_plain_sizes(c, "opt", out);
    out.set_u32("opt.token_embedding_length", static_cast<std::uint32_t>(c.embedding_dim));
    out.set_bool("opt.norm_after", c.norm_after);
    out.set_string("opt.activation", std::string(activation_name(c.activation)));
}

class Opt final : public Network {
  public:
    Opt(const Config& c, WeightLoader& w) : Network(c) {
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.embedding_dim);
        positions_ = w.table("position_embd", c.context + kFirstPosition, c.dim);
        if (projected()) {
            in_ = w.linear({{"project_in", c.dim}}, c.embedding_dim, false);
            out_ = w.linear({{"project_out", c.embedding_dim}}, c.dim, false);
        }
        layers_ = load_plain_layers(c, w, QkvTensors::three);
        if (c.final_norm) norm_ = w.norm(NormKind::layer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.embedding_dim);
    }

    Rows begin(Step& s) const override {
        if (!projected()) return s.embed(embedding_, &positions_, kFirstPosition);
        const Rows x = s.positions(positions_, kFirstPosition);
        s.linear_add(s.embed(embedding_), in_, x);
        return x;
    }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const PlainLayer& l = layers_[static_cast<std::size_t>(i)];
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
    std::vector<PlainLayer> layers_;
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
