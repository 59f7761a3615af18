// T5: encoder and decoder with one shared embedding, RMS norm, biases by relative position from the first
// layer's table in every layer, scores that are not scaled, no other biases. The original ties the head and
// scales what it reads by 1 / sqrt(dim); Flan-T5 and T5 1.1 do neither.
// llama.cpp has no keys for a largest distance other than 128 and for other activations than gelu_tanh behind
// a gate and relu without: they are keys of our own.
#include <array>
#include <cmath>
#include <cstring>

#include "engine/architecture.h"
#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/network.h"
#include "engine/step.h"

namespace tinyllm {
namespace {

Activation default_activation(bool gated) {
    return gated ? Activation::gelu_tanh : Activation::relu;
}

void derive(Config& c, const std::string& file) {
    c.n_kv_heads = c.n_heads;
    c.scale_attention = false;
    c.open_ended = true;
    // From half the buckets on (a quarter where they serve two directions) they grow with the logarithm.
    if (c.relative_buckets < 4 || c.relative_buckets > 1 << 16 ||
        c.relative_distance <= c.relative_buckets / 2 || c.relative_distance > 1 << 16) {
        fail(ErrorKind::corrupt,
             "{}: relative positions: expected 4 to 65536 buckets and a largest distance above half of them, "
             "up to 65536; found {} and {}",
             file, c.relative_buckets, c.relative_distance);
    }
}

/// transformers reads each size under two names.
std::int64_t size_of(const HfConfig& json, std::string_view name, std::string_view other,
                     std::int64_t otherwise) {
    const std::int64_t value = json.size(name, otherwise);
    return json.size(other, value);
}

/// T5Config's rule: "gated-gelu" stands for gelu_new; is_gated_act and dense_act_fn go before what it says.
void read_mlp(const HfConfig& json, Config& c) {
    const std::string kind = json.string("feed_forward_proj", "relu");
    const auto dash = kind.find('-');
    if (dash != kind.npos && (kind.substr(0, dash) != "gated" || kind.find('-', dash + 1) != kind.npos)) {
        fail(ErrorKind::unsupported,
             "{}: key feed_forward_proj: expected an activation or \"gated-\" and one, found \"{}\"",
             json.file(), kind);
    }
    const std::string name = kind == "gated-gelu" ? "gelu_new" : kind.substr(dash + 1);
    c.gated_mlp = json.boolean("is_gated_act", kind.substr(0, dash) == "gated");
    c.activation = json.activation("dense_act_fn", name);
}

Config from_hf(const HfConfig& json) {
    Config c;
    c.dim = size_of(json, "d_model", "hidden_size", 512);
    c.head_dim = size_of(json, "d_kv", "head_dim", 64);
    c.n_heads = size_of(json, "num_heads", "num_attention_heads", 8);
    c.encoder_layers = size_of(json, "num_layers", "num_hidden_layers", 6);
    c.n_layers = json.size("num_decoder_layers", c.encoder_layers);
    c.ff_dim = json.size("d_ff", 2048);
    c.vocab_size = json.size("vocab_size", 32128);
    // Without a table of positions this is a habit that not every config mentions.
    for (const char* key : {"n_ctx", "max_position_embeddings", "n_positions"})
        if (json.has(key)) c.context = json.size(key);
    c.norm_eps = static_cast<float>(json.number("layer_norm_epsilon", 1e-6));
    read_mlp(json, c);
    c.relative_buckets = json.size("relative_attention_num_buckets", 32);
    c.relative_distance = json.size("relative_attention_max_distance", 128);
    c.tied_head = json.boolean("tie_word_embeddings", true);
    if (c.tied_head) c.logit_scale = 1 / std::sqrt(static_cast<float>(c.dim));
    c.decoder_start = json.integer("decoder_start_token_id", json.integer("pad_token_id", 0));
    json.require_bool("is_encoder_decoder", true);
    json.require_bool("tie_encoder_decoder", false);
    json.ignore({"dropout_rate"});
    derive(c, json.file());
    return c;
}

bool same_tensors(const GgufFile& file, std::string_view a, std::string_view b) {
    const TensorView *x = file.find(a), *y = file.find(b);
    return x && y && x->type == y->type && x->shape == y->shape && x->data.size() == y->data.size() &&
           std::memcmp(x->data.data(), y->data.data(), x->data.size()) == 0;
}

Config from_gguf(const GgufConfig& keys) {
    const GgufFile& file = keys.file();
    Config c;
    c.dim = keys.size("embedding_length");
    c.encoder_layers = keys.size("block_count");
    c.n_layers = keys.size("decoder_block_count", c.encoder_layers);
    c.n_heads = keys.size("attention.head_count");
    c.head_dim = keys.size("attention.key_length", c.dim / c.n_heads);
    if (keys.size("attention.value_length", c.head_dim) != c.head_dim ||
        keys.size("attention.head_count_kv", c.n_heads) != c.n_heads) {
        fail(ErrorKind::unsupported, "{}: t5 with other values or key/value heads than keys and heads",
             file.path());
    }
    c.ff_dim = keys.size("feed_forward_length");
    c.vocab_size = keys.vocab_size();
    c.context = keys.size("context_length");
    c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon"));
    c.relative_buckets = keys.size("attention.relative_buckets_count");
    c.relative_distance = keys.size("attention.relative_max_distance", 128);
    c.gated_mlp = file.find("dec.blk.0.ffn_gate.weight");
    c.activation = keys.activation(default_activation(c.gated_mlp));
    c.tied_head = !file.find("output.weight");
    // Old checkpoints store the tied head twice, and llama.cpp's converter keeps both.
    if (c.tied_head || same_tensors(file, "output.weight", "token_embd.weight"))
        c.logit_scale = 1 / std::sqrt(static_cast<float>(c.dim));
    c.decoder_start =
        keys.integer("decoder_start_token_id", file.integer("tokenizer.ggml.padding_token_id", 0));
    keys.ignore({"attention.layer_norm_epsilon"});
    derive(c, file.path());
    return c;
}

void to_gguf(const Config& c, GgufWriter& out) {
    const auto u32 = [&](const char* key, std::int64_t value) {
        out.set_u32(std::string("t5.") + key, static_cast<std::uint32_t>(value));
    };
    u32("vocab_size", c.vocab_size);
    u32("context_length", c.context);
    u32("embedding_length", c.dim);
    u32("feed_forward_length", c.ff_dim);
    u32("block_count", c.encoder_layers);
    u32("decoder_block_count", c.n_layers);
    u32("attention.head_count", c.n_heads);
    u32("attention.key_length", c.head_dim);
    u32("attention.value_length", c.head_dim);
    u32("attention.relative_buckets_count", c.relative_buckets);
    u32("decoder_start_token_id", c.decoder_start);
    out.set_f32("t5.attention.layer_norm_epsilon", c.norm_eps);
    out.set_f32("t5.attention.layer_norm_rms_epsilon", c.norm_eps);
    if (c.relative_distance != 128) u32("attention.relative_max_distance", c.relative_distance);
    if (c.activation != default_activation(c.gated_mlp))
        out.set_string("t5.activation", std::string(activation_name(c.activation)));
}

/// The bucket of position j seen from p, for d = j - p: the nearest distances have one each, then the
/// logarithm of the distance grows by equal steps up to `largest`. In f32, as the reference computes it.
std::int64_t bucket(std::int64_t d, bool both_sides, std::int64_t buckets, std::int64_t largest) {
    std::int64_t first = 0;
    if (both_sides) {
        buckets /= 2;
        if (d > 0) first = buckets;
    }
    const std::int64_t distance = both_sides ? std::abs(d) : std::max<std::int64_t>(-d, 0);
    const std::int64_t exact = buckets / 2;
    if (distance < exact) return first + distance;
    const float steps =
        static_cast<float>(std::log(static_cast<double>(largest) / static_cast<double>(exact)));
    const float part = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / steps;
    const auto beyond = static_cast<std::int64_t>(part * static_cast<float>(buckets - exact));
    return first + std::min(exact + beyond, buckets - 1);
}

RelativeBias relative_bias(WeightLoader& w, const Config& c, std::string_view name, bool both_sides) {
    const std::vector<float> stored = w.values(name, c.relative_buckets, c.n_heads, 0);
    // A little further than `largest`, where rounding no longer decides on the last bucket.
    const std::int64_t span = c.relative_distance + c.relative_distance / 8 + 8;
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(c.n_heads * (2 * span + 1)));
    for (std::int64_t h = 0; h < c.n_heads; ++h) {
        for (std::int64_t d = -span; d <= span; ++d) {
            const std::int64_t b = bucket(d, both_sides, c.relative_buckets, c.relative_distance);
            values.push_back(stored[static_cast<std::size_t>(b * c.n_heads + h)]);
        }
    }
    return {static_cast<std::int32_t>(span), w.keep(values)};
}

struct Attention {
    Norm norm;
    Linear in;  // q over k over v; of attention to the encoder q alone
    Linear out;
};

struct Mlp {
    Norm norm;
    Linear in;  // gate over up, or up alone
    Linear out;
};

/// The names of one side's weights: "enc.blk.#." or "dec.blk.#.".
class Names {
  public:
    explicit Names(const char* side) : side_(std::string(side) + ".blk.#.") {}
    std::string operator()(const char* name) const { return side_ + name; }

  private:
    std::string side_;
};

Attention self_attention(WeightLoader& w, const Config& c, const Names& name, std::int64_t i) {
    const std::int64_t inner = c.n_heads * c.head_dim;
    Attention a;
    a.norm = w.norm(NormKind::rms, name("attn_norm"), c.dim, i);
    a.in = w.linear({{name("attn_q"), inner}, {name("attn_k"), inner}, {name("attn_v"), inner}}, c.dim, false,
                    i);
    a.out = w.linear({{name("attn_o"), c.dim}}, inner, false, i);
    return a;
}

Mlp mlp(WeightLoader& w, const Config& c, const Names& name, std::int64_t i) {
    Mlp m;
    m.norm = w.norm(NormKind::rms, name("ffn_norm"), c.dim, i);
    m.in = c.gated_mlp ? w.linear({{name("ffn_gate"), c.ff_dim}, {name("ffn_up"), c.ff_dim}}, c.dim, false, i)
                       : w.linear({{name("ffn_up"), c.ff_dim}}, c.dim, false, i);
    m.out = w.linear({{name("ffn_down"), c.dim}}, c.ff_dim, false, i);
    return m;
}

void add_mlp(Step& s, const Mlp& m, const Config& c, Rows x) {
    const Rows inner =
        c.gated_mlp ? s.glu(x, m.norm, m.in, c.activation) : s.linear(x, m.norm, m.in, c.activation);
    s.linear_add(inner, m.out, x);
}

class T5Encoder final : public Encoder {
  public:
    T5Encoder(const Config& c, WeightLoader& w, const Matrix& embedding) : config_(c), embedding_(embedding) {
        const Names name("enc");
        const Names decoder("dec");
        const std::int64_t inner = c.n_heads * c.head_dim;
        for (std::int64_t i = 0; i < c.encoder_layers; ++i)
            layers_.push_back({self_attention(w, c, name, i), mlp(w, c, name, i)});
        bias_ = relative_bias(w, c, name("attn_rel_b"), true);
        norm_ = w.norm(NormKind::rms, "enc.output_norm", c.dim);
        for (std::int64_t i = 0; i < c.n_layers; ++i) {
            for_decoder_.push_back(w.linear(
                {{decoder("cross_attn_k"), inner}, {decoder("cross_attn_v"), inner}}, c.dim, false, i));
        }
    }

    Rows begin(Step& s) const override { return s.embed(embedding_); }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const Layer& l = layers_[static_cast<std::size_t>(i)];
        const Rows q = s.qkv(x, l.attention.norm, l.attention.in, i);
        s.linear_add(s.attend(q, i, bias_), l.attention.out, x);
        add_mlp(s, l.mlp, config_, x);
    }

    Rows end(Step& s, Rows x) const override {
        s.norm(x, norm_);
        for (std::size_t i = 0; i < for_decoder_.size(); ++i)
            s.remember(x, for_decoder_[i], static_cast<std::int64_t>(i));
        return x;
    }

  private:
    struct Layer {
        Attention attention;
        Mlp mlp;
    };
    const Config& config_;
    const Matrix& embedding_;
    std::vector<Layer> layers_;
    std::vector<Linear> for_decoder_;  // k over v of what each decoder layer reads
    RelativeBias bias_;
    Norm norm_;
};

class T5 final : public Network {
  public:
    T5(const Config& c, WeightLoader& w)
        : Network(c),
          embedding_(w.matrix({{"token_embd", c.vocab_size}}, c.dim)),
          encoder_(config, w, embedding_) {
        const Names name("dec");
        const std::int64_t inner = c.n_heads * c.head_dim;
        for (std::int64_t i = 0; i < c.n_layers; ++i) {
            Layer l;
            l.attention = self_attention(w, c, name, i);
            l.reading.norm = w.norm(NormKind::rms, name("cross_attn_norm"), c.dim, i);
            l.reading.in = w.linear({{name("cross_attn_q"), inner}}, c.dim, false, i);
            l.reading.out = w.linear({{name("cross_attn_o"), c.dim}}, inner, false, i);
            l.mlp = mlp(w, c, name, i);
            layers_.push_back(std::move(l));
        }
        bias_ = relative_bias(w, c, name("attn_rel_b"), false);
        norm_ = w.norm(NormKind::rms, "dec.output_norm", c.dim);
        head_ = c.tied_head ? embedding_ : w.matrix({{"output", c.vocab_size}}, c.dim);
    }

    Rows begin(Step& s) const override { return s.embed(embedding_); }

    void layer(Step& s, Rows x, std::int64_t i) const override {
        const Layer& l = layers_[static_cast<std::size_t>(i)];
        const Rows q = s.qkv(x, l.attention.norm, l.attention.in, i);
        s.linear_add(s.attend(q, i, bias_), l.attention.out, x);
        const Rows asked = s.linear(x, l.reading.norm, l.reading.in);
        s.linear_add(s.attend_encoded(asked, i), l.reading.out, x);
        add_mlp(s, l.mlp, config, x);
    }

    Head head() const override { return {norm_, &head_, nullptr, config.logit_scale}; }
    const Encoder* encoder() const override { return &encoder_; }

  private:
    struct Layer {
        Attention attention;
        Attention reading;  // of the encoder
        Mlp mlp;
    };
    Matrix embedding_;
    T5Encoder encoder_;
    Matrix head_;
    std::vector<Layer> layers_;
    RelativeBias bias_;
    Norm norm_;
};

}  // namespace

const Architecture& architecture_t5() {
    static const Architecture kT5{
        "t5",
        {"t5"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<T5>,
        {
            {"token_embd.weight", "shared.weight"},
            {"token_embd.weight", "encoder.embed_tokens.weight"},
            {"token_embd.weight", "decoder.embed_tokens.weight"},
            {"enc.blk.#.attn_norm.weight", "encoder.block.#.layer.0.layer_norm.weight"},
            {"enc.blk.#.attn_q.weight", "encoder.block.#.layer.0.SelfAttention.q.weight"},
            {"enc.blk.#.attn_k.weight", "encoder.block.#.layer.0.SelfAttention.k.weight"},
            {"enc.blk.#.attn_v.weight", "encoder.block.#.layer.0.SelfAttention.v.weight"},
            {"enc.blk.#.attn_o.weight", "encoder.block.#.layer.0.SelfAttention.o.weight"},
            {"enc.blk.#.attn_rel_b.weight",
             "encoder.block.#.layer.0.SelfAttention.relative_attention_bias.weight"},
            {"enc.blk.#.ffn_norm.weight", "encoder.block.#.layer.1.layer_norm.weight"},
            {"enc.blk.#.ffn_gate.weight", "encoder.block.#.layer.1.DenseReluDense.wi_0.weight"},
            {"enc.blk.#.ffn_up.weight", "encoder.block.#.layer.1.DenseReluDense.wi_1.weight"},
            {"enc.blk.#.ffn_up.weight", "encoder.block.#.layer.1.DenseReluDense.wi.weight"},
            {"enc.blk.#.ffn_down.weight", "encoder.block.#.layer.1.DenseReluDense.wo.weight"},
            {"enc.output_norm.weight", "encoder.final_layer_norm.weight"},
            {"dec.blk.#.attn_norm.weight", "decoder.block.#.layer.0.layer_norm.weight"},
            {"dec.blk.#.attn_q.weight", "decoder.block.#.layer.0.SelfAttention.q.weight"},
            {"dec.blk.#.attn_k.weight", "decoder.block.#.layer.0.SelfAttention.k.weight"},
            {"dec.blk.#.attn_v.weight", "decoder.block.#.layer.0.SelfAttention.v.weight"},
            {"dec.blk.#.attn_o.weight", "decoder.block.#.layer.0.SelfAttention.o.weight"},
            {"dec.blk.#.attn_rel_b.weight",
             "decoder.block.#.layer.0.SelfAttention.relative_attention_bias.weight"},
            {"dec.blk.#.cross_attn_norm.weight", "decoder.block.#.layer.1.layer_norm.weight"},
            {"dec.blk.#.cross_attn_q.weight", "decoder.block.#.layer.1.EncDecAttention.q.weight"},
            {"dec.blk.#.cross_attn_k.weight", "decoder.block.#.layer.1.EncDecAttention.k.weight"},
            {"dec.blk.#.cross_attn_v.weight", "decoder.block.#.layer.1.EncDecAttention.v.weight"},
            {"dec.blk.#.cross_attn_o.weight", "decoder.block.#.layer.1.EncDecAttention.o.weight"},
            {"dec.blk.#.ffn_norm.weight", "decoder.block.#.layer.2.layer_norm.weight"},
            {"dec.blk.#.ffn_gate.weight", "decoder.block.#.layer.2.DenseReluDense.wi_0.weight"},
            {"dec.blk.#.ffn_up.weight", "decoder.block.#.layer.2.DenseReluDense.wi_1.weight"},
            {"dec.blk.#.ffn_up.weight", "decoder.block.#.layer.2.DenseReluDense.wi.weight"},
            {"dec.blk.#.ffn_down.weight", "decoder.block.#.layer.2.DenseReluDense.wo.weight"},
            {"dec.output_norm.weight", "decoder.final_layer_norm.weight"},
            {"output.weight", "lm_head.weight"},
        },
        {},
        // A table that cross attention never used.
        {"decoder.block.#.layer.1.EncDecAttention.relative_attention_bias.weight"},
        {"dec.blk.0.cross_attn_rel_b.weight"},
    };
    return kT5;
}

}  // namespace tinyllm
