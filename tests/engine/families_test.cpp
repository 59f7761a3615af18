// Switches of config.json that a family does not have, or that contradict it, are refused by name.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/architecture.h"
#include "engine/config.h"
#include "engine/hf_config.h"
#include "tinyllm/error.h"

namespace tinyllm {
namespace {

using nlohmann::json;

struct Refusal {
    const char* model_type;
    const char* key;
    json value;
    ErrorKind kind;
    const char* named = nullptr;  // in the message; null: the key
};

/// Sizes that every family accepts, under the keys of all.
json plain(const std::string& model_type) {
    return {{"model_type", model_type},
            {"hidden_size", 24},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 3},
            {"num_key_value_heads", 3},
            {"intermediate_size", 40},
            {"ffn_dim", 40},
            {"vocab_size", 80},
            {"max_position_embeddings", 40},
            {"n_embd", 24},
            {"n_head", 3},
            {"n_layer", 2},
            {"n_positions", 40},
            {"seq_length", 40}};
}

Config read(const json& data) {
    const HfConfig config(data, "config.json");
    const Architecture* architecture = find_architecture_by_model_type(config.string("model_type"));
    Config out = architecture->from_hf(config);
    out.file = "config.json";
    check_config(out);
    return out;
}

class Families : public testing::TestWithParam<Refusal> {};

TEST_P(Families, RefuseWhatTheyDoNotHave) {
    const Refusal& refusal = GetParam();
    json data = plain(refusal.model_type);
    EXPECT_NO_THROW(read(data));
    data[refusal.key] = refusal.value;
    try {
        read(data);
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), refusal.kind) << error.what();
        const std::string named = refusal.named ? refusal.named : refusal.key;
        EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
        return;
    }
    FAIL() << refusal.model_type << " took " << refusal.key << " = " << refusal.value;
}

constexpr ErrorKind kUnsupported = ErrorKind::unsupported, kCorrupt = ErrorKind::corrupt;
const json kYarn = {{"rope_type", "yarn"}, {"factor", 2.0}};
const json kLinear = {{"rope_type", "linear"}, {"factor", 2.0}};

INSTANTIATE_TEST_SUITE_P(
    Keys, Families,
    testing::Values(Refusal{"gpt2", "add_cross_attention", true, kUnsupported},
                    Refusal{"gpt2", "activation_function", "quick_gelu", kUnsupported},
                    Refusal{"gpt2", "n_head", 5, kCorrupt, "multiple of 5 heads"},
                    Refusal{"bloom", "apply_residual_connection_post_layernorm", true, kUnsupported},
                    Refusal{"bloom", "num_attention_heads", 5, kCorrupt, "multiple of 5 heads"},
                    Refusal{"opt", "layer_norm_elementwise_affine", false, kUnsupported},
                    Refusal{"opt", "activation_function", "tanh", kUnsupported},
                    Refusal{"llama", "rope_scaling", kYarn, kUnsupported, "yarn"},
                    Refusal{"llama", "hidden_act", "mish", kUnsupported},
                    Refusal{"llama", "num_key_value_heads", 2, kCorrupt, "2 key/value heads"},
                    Refusal{"mistral", "sliding_window", -4, kCorrupt},
                    Refusal{"qwen2", "use_sliding_window", true, kUnsupported},
                    Refusal{"gpt_neox", "rotary_pct", 2.0, kCorrupt},
                    Refusal{"gpt_neox", "rotary_pct", 0.4, kCorrupt, "found 3"},
                    Refusal{"phonelm", "rope_scaling", kLinear, kUnsupported},
                    Refusal{"phonelm", "head_dim", 16, kCorrupt, "hidden_size 24"},
                    Refusal{"stablelm", "qk_layernorm", true, kUnsupported},
                    Refusal{"stablelm", "partial_rotary_factor", -1.0, kCorrupt}));

}  // namespace
}  // namespace tinyllm
