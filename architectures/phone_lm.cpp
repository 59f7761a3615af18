// PhoneLM: Llama's body with a MLP of its own activation (ReLU in the released checkpoints) and a rope whose
// cos and sin are 8-bit integers. The rounding is part of the model: it was trained with it.
//
// Definition: the publisher's modeling_phonelm.py and configuration_phonelm.py
// (https://github.com/UbiquitousLearning/PhoneLM, the same in https://huggingface.co/mllmTeam/PhoneLM-0.5B)
// and its C++ engine (https://github.com/UbiquitousLearning/mllm, src/models/phonelm,
// src/backends/cpu/op/CPUIRoPE.cpp). The first scales cos and sin by the largest value among the positions of
// the pass, the second by that of the whole table, which is 1. Only the second does not depend on how a text
// is cut into passes, and it is what is done here; the first approaches it from about a dozen tokens on.
#include "engine/config.h"
#include "engine/fail.h"
#include "engine/gated_decoder.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"

namespace tinyllm {
namespace {

constexpr std::int32_t kRopeSteps = 127;

Config from_hf(const HfConfig& json) {
    Config c = read_gated_decoder(json);
    c.context = json.size("max_position_embeddings", 2048);
    c.qkv_bias = c.attention_out_bias = json.boolean("attention_bias", false);
    if (c.head_dim * c.n_heads != c.dim) {
        fail(ErrorKind::corrupt, "{}: {} heads of width {} do not make up hidden_size {}", json.file(),
             c.n_heads, c.head_dim, c.dim);
    }
    if (c.rope.linear_factor != 1 || !c.rope.factors.empty()) {
        fail(ErrorKind::unsupported, "{}: rope_scaling is not supported in phonelm, only null", json.file());
    }
    c.rope.steps = kRopeSteps;
    return c;
}

// llama.cpp does not know PhoneLM: the keys are Llama's, and one of ours for the steps.
Config from_gguf(const GgufConfig& keys) {
    Config c = read_gated_decoder(keys);
    c.rope.steps = static_cast<std::int32_t>(keys.size("rope.steps"));
    return c;
}

void to_gguf(const Config& config, GgufWriter& out) {
    write_gated_decoder(config, "phonelm", out);
    out.set_u32("phonelm.rope.steps", static_cast<std::uint32_t>(config.rope.steps));
}

}  // namespace

const Architecture& architecture_phone_lm() {
    static const Architecture kPhoneLm{
        "phonelm",
        {"phonelm"},
        from_hf,
        from_gguf,
        to_gguf,
        build_network<GatedDecoder>,
        gated_decoder_tensors(nullptr, nullptr),
        {"model."},
        {"layers.#.self_attn.rotary_emb.inv_freq"},
        {"rope_freqs.weight"},
    };
    return kPhoneLm;
}

}  // namespace tinyllm
