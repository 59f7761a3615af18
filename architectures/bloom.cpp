// Bloom: no positions but ALiBi's slopes, a norm behind the embedding, layer norm, plain MLP, tied head.
// Hugging Face interleaves q, k and v head by head; GGUF and the engine stack them. Its gelu is the tanh
// form.
#include <cmath>

#include "engine/architecture.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/plain_decoder.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

void derive(Config& c) {
    c.ff_dim = 4 * c.dim;
    c.activation = Activation::gelu_tanh;
    c.qkv_bias = c.attention_out_bias = c.mlp_bias = true;
}

Config from_hf(const HfConfig& json) {
    Config c;
    // The released checkpoints spell the width n_embed and the sizes n_layer, n_head or num_hidden_layers,
    // num_attention_heads.
    c.dim = json.has("n_embed") ? json.size("n_embed") : json.size("hidden_size", 64);
    json.ignore({"hidden_size"});
    c.n_layers = json.has("num_hidden_layers") ? json.size("num_hidden_layers") : json.size("n_layer", 2);
    c.n_heads = json.has("num_attention_heads") ? json.size("num_attention_heads") : json.size("n_head", 8);
    c.vocab_size = json.size("vocab_size", 250880);
    c.context = json.size("seq_length", 2048);
    c.norm_eps = static_cast<float>(json.number("layer_norm_epsilon", 1e-5));
    c.tied_head = json.boolean("tie_word_embeddings", true);
    json.require_bool("apply_residual_connection_post_layernorm", false);
    // The first two are matters of the order of sums, the others of training code.
    json.ignore({"slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "attention_softmax_in_fp32",
                 "bias_dropout_fusion", "masked_softmax_fusion", "offset_alibi", "unk_token_id", "n_inner"});
    derive(c);
    split_heads(c, json.file());
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    Config c = read_plain_sizes(keys);
    keys.ignore({"tensor_data_layout"});
    derive(c);
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    write_plain_sizes(c, "bloom", out);
    out.set_u32("bloom.attention.head_count_kv", static_cast<std::uint32_t>(c.n_heads));
}

/// ALiBi's slopes: a geometric row for the power of two below n, then every other one of the row for twice
/// that. https://arxiv.org/abs/2108.12409
std::vector<float> alibi_slopes(std::int64_t n) {
    std::int64_t power = 1;
    while (2 * power <= n) power *= 2;
    std::vector<float> slopes;
    const double step = -8.0 / static_cast<double>(power);
    for (std::int64_t i = 1; i <= power; ++i)
        slopes.push_back(static_cast<float>(std::exp2(step * static_cast<double>(i))));
    for (std::int64_t i = 0; std::ssize(slopes) < n; ++i) {
        slopes.push_back(static_cast<float>(std::exp2(step / 2 * static_cast<double>(2 * i + 1))));
    }
    return slopes;
}

std::vector<std::int32_t> qkv_rows(const Config& c) {
    return interleaved_qkv_rows(c.n_heads, c.head_dim);
}

class Bloom final : public Network {
  public:
    Bloom(const Config& c, WeightLoader& w) : Network(c), slopes_(alibi_slopes(c.n_heads)) {
        constexpr NormKind kLayer = NormKind::layer;
        embedding_ = w.matrix({{"token_embd", c.vocab_size}}, c.dim);
        embedding_norm_ = w.norm(kLayer, "token_embd_norm", c.dim);
        layers_ = load_plain_layers(c, w, QkvTensors::one);
        norm_ = w.norm(kLayer, "output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
    }

    Rows begin(Step& s) const override {
        const Rows x = s.embed(embedding_);
        s.norm(x, embedding_norm_);
        return x;
    }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const PlainLayer& l = layers_[static_cast<std::size_t>(i)];
        const Rows q = s.qkv(x, l.attn_norm, l.qkv, i);
        s.linear_add(s.attend(q, i, slopes_.data()), l.o, x);
        s.linear_add(s.linear(x, l.ffn_norm, l.up, config.activation), l.down, x);
    }

    Head head() const override { return {norm_, &head_}; }

  private:
    std::vector<float> slopes_;  // (n_heads)
    Matrix embedding_, head_;
    Norm embedding_norm_, norm_;
    std::vector<PlainLayer> layers_;
};

}  // namespace

const Architecture& architecture_bloom() {
    static const Architecture kBloom{
        "bloom",
        {"bloom"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<Bloom>,
        {
            {"token_embd.weight", "word_embeddings.weight"},
            {"token_embd_norm.weight", "word_embeddings_layernorm.weight"},
            {"token_embd_norm.bias", "word_embeddings_layernorm.bias"},
            {"blk.#.attn_norm.weight", "h.#.input_layernorm.weight"},
            {"blk.#.attn_norm.bias", "h.#.input_layernorm.bias"},
            {"blk.#.attn_qkv.weight", "h.#.self_attention.query_key_value.weight", false, qkv_rows},
            {"blk.#.attn_qkv.bias", "h.#.self_attention.query_key_value.bias", false, qkv_rows},
            {"blk.#.attn_output.weight", "h.#.self_attention.dense.weight"},
            {"blk.#.attn_output.bias", "h.#.self_attention.dense.bias"},
            {"blk.#.ffn_norm.weight", "h.#.post_attention_layernorm.weight"},
            {"blk.#.ffn_norm.bias", "h.#.post_attention_layernorm.bias"},
            {"blk.#.ffn_up.weight", "h.#.mlp.dense_h_to_4h.weight"},
            {"blk.#.ffn_up.bias", "h.#.mlp.dense_h_to_4h.bias"},
            {"blk.#.ffn_down.weight", "h.#.mlp.dense_4h_to_h.weight"},
            {"blk.#.ffn_down.bias", "h.#.mlp.dense_4h_to_h.bias"},
            {"output_norm.weight", "ln_f.weight"},
            {"output_norm.bias", "ln_f.bias"},
            {"output.weight", "lm_head.weight"},
        },
        {"transformer."},
        {},
        {},
    };
    return kBloom;
}

}  // namespace tinyllm
