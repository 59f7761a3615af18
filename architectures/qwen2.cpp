// Qwen 1.5 and 2: Llama's body with biases on q, k and v; its GGUF files keep Hugging Face's rope order.
#include "engine/config.h"
#include "engine/gated_decoder.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"

namespace tinyllm {
namespace {

Config from_hf(const HfConfig& json) {
    Config c = read_gated_decoder(json);
    if (!json.contains("num_key_value_heads")) c.n_kv_heads = 32;
    c.context = json.size("max_position_embeddings", 32768);
    c.qkv_bias = true;
    // The window acts only where use_sliding_window says so, which no released checkpoint does.
    json.require_bool("use_sliding_window", false);
    json.ignore({"sliding_window", "max_window_layers", "layer_types"});
    return c;
}

Config from_gguf(const GgufConfig& keys) {
    return read_gated_decoder(keys);
}
void to_gguf(const Config& config, GgufWriter& out) {
    write_gated_decoder(config, "qwen2", out);
}

}  // namespace

const Architecture& architecture_qwen2() {
    static const Architecture kQwen2{
        "qwen2",
        {"qwen2"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<GatedDecoder>,
        gated_decoder_tensors(nullptr, nullptr),
        {"model."},
        {"layers.#.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"},
        {"rope_freqs.weight"},
    };
    return kQwen2;
}

}  // namespace tinyllm
