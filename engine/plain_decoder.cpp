#include "engine/plain_decoder.h"

#include "engine/fail.h"

namespace tinyllm {

std::vector<PlainLayer> load_plain_layers(const Config& c, WeightLoader& w, QkvTensors qkv) {
    std::vector<PlainLayer> layers;
    for (std::int64_t i = 0; i < c.n_layers; ++i) {
        PlainLayer l;
        l.attn_norm = w.norm(NormKind::layer, "blk.#.attn_norm", c.dim, i);
        l.qkv = qkv == QkvTensors::one
                    ? w.linear({{"blk.#.attn_qkv", 3 * c.dim}}, c.dim, c.qkv_bias, i)
                    : w.linear({{"blk.#.attn_q", c.dim}, {"blk.#.attn_k", c.dim}, {"blk.#.attn_v", c.dim}},
                               c.dim, c.qkv_bias, i);
        l.o = w.linear({{"blk.#.attn_output", c.dim}}, c.dim, c.attention_out_bias, i);
        l.ffn_norm = w.norm(NormKind::layer, "blk.#.ffn_norm", c.dim, i);
        l.up = w.linear({{"blk.#.ffn_up", c.ff_dim}}, c.dim, c.mlp_bias, i);
        l.down = w.linear({{"blk.#.ffn_down", c.dim}}, c.ff_dim, c.mlp_bias, i);
        layers.push_back(std::move(l));
    }
    return layers;
}

void split_heads(Config& c, const std::string& file) {
    c.n_kv_heads = c.n_heads;
    if (c.dim % c.n_heads != 0)
        fail(ErrorKind::corrupt, "{}: width {} is no multiple of {} heads", file, c.dim, c.n_heads);
    c.head_dim = c.dim / c.n_heads;
}

Config read_plain_sizes(const GgufConfig& keys) {
    Config c;
    c.dim = keys.size("embedding_length");
    c.n_layers = keys.size("block_count");
    c.n_heads = keys.size("attention.head_count");
    if (keys.size("attention.head_count_kv", c.n_heads) != c.n_heads) {
        fail(ErrorKind::unsupported, "{}: {} with fewer key/value heads than heads", keys.file().path(),
             keys.architecture());
    }
    c.ff_dim = keys.size("feed_forward_length", 4 * c.dim);
    c.vocab_size = keys.vocab_size();
    c.context = keys.size("context_length");
    c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_epsilon"));
    c.tied_head = !keys.file().find("output.weight");
    split_heads(c, keys.file().path());
    return c;
}

void write_plain_sizes(const Config& c, const std::string& architecture, GgufWriter& out) {
    const auto u32 = [&](const char* key, std::int64_t value) {
        out.set_u32(architecture + "." + key, static_cast<std::uint32_t>(value));
    };
    u32("context_length", c.context);
    u32("embedding_length", c.dim);
    u32("block_count", c.n_layers);
    u32("feed_forward_length", c.ff_dim);
    u32("attention.head_count", c.n_heads);
    out.set_f32(architecture + ".attention.layer_norm_epsilon", c.norm_eps);
}

}  // namespace tinyllm
