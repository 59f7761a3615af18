// Llama and its kin (Mistral, TinyLlama, SmolLM, Danube).
// GGUF stores q and k with the rotated pairs side by side; here, as in Hugging Face's files, element i pairs
// with i + head_dim / 2.
#include "engine/config.h"
#include "engine/gated_decoder.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"

namespace tinyllm {
namespace {

Config from_hf(const HfConfig& json) {
    Config c = read_gated_decoder(json);
    if (json.string("model_type") == "mistral") {
        c.context = json.size("max_position_embeddings", 131072);
        if (!json.contains("num_key_value_heads")) c.n_kv_heads = 8;
        const bool absent = !json.contains("sliding_window");
        if (absent || json.has("sliding_window")) {
            c.window = static_cast<std::int32_t>(json.size("sliding_window", 4096));
        }
    } else {
        c.context = json.size("max_position_embeddings", 2048);
        c.qkv_bias = c.attention_out_bias = json.boolean("attention_bias", false);
        c.mlp_bias = json.boolean("mlp_bias", false);
        json.ignore({"layernorm_epsilon"});  // LiteLlama's; transformers reads rms_norm_eps
    }
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    return read_gated_decoder(keys);
}
void to_gguf(const Config& config, GgufWriter& out) {
    write_gated_decoder(config, "llama", out);
}

std::vector<std::int32_t> q_rows(const Config& c) {
    return interleaved_rope_rows(c.n_heads, c.head_dim, c.rope.dims);
}
std::vector<std::int32_t> k_rows(const Config& c) {
    return interleaved_rope_rows(c.n_kv_heads, c.head_dim, c.rope.dims);
}

}  // namespace

const Architecture& architecture_llama() {
    static const Architecture kLlama{
        "llama",
        {"llama", "mistral"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<GatedDecoder>,
        gated_decoder_tensors(q_rows, k_rows),
        {"model."},
        {"layers.#.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"},
        {"rope_freqs.weight"},
    };
    return kLlama;
}

}  // namespace tinyllm
