// The body that Llama set and others kept: RMS norm, rope, grouped-query attention, gated MLP, serial
// residuals. Biases, head width, window, activation and a tied head are the config's. Families differ in
// their keys and in the rope order of their GGUF files.
#pragma once

#include <string>
#include <vector>

#include "engine/architecture.h"
#include "engine/network.h"

namespace tinyllm {

class GatedDecoder final : public Network {
  public:
    GatedDecoder(const Config& config, WeightLoader& weights);
    Rows begin(Step& step) const override;
    void layer(Step& step, Rows x, std::int64_t layer) const override;
    Head head() const override { return {norm_, &head_}; }

  private:
    struct Layer {
        Norm attn_norm;
        Linear qkv;
        Linear o;
        Norm ffn_norm;
        Linear gate_up;
        Linear down;
    };
    Matrix embedding_, head_;
    std::vector<Layer> layers_;
    Norm norm_;
};

/// Its tensors under llama.cpp's names and Hugging Face's; the orders are those of q and k in GGUF, null
/// where they are the engine's.
std::vector<TensorRule> gated_decoder_tensors(RowOrder gguf_q_rows, RowOrder gguf_k_rows);

/// The sizes under the keys that config.json and GGUF use in all its families.
Config read_gated_decoder(const HfConfig& json);
Config read_gated_decoder(const GgufConfig& keys);
void write_gated_decoder(const Config& config, const std::string& architecture, GgufWriter& out);

}  // namespace tinyllm
