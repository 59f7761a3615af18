// What the families before Llama share: layer norms, linears with biases, a plain MLP, as many key/value
// heads as heads. How their branches are joined, and what positions are, is each family's own.
#pragma once

#include <string>
#include <vector>

#include "engine/architecture.h"
#include "engine/gguf_config.h"
#include "engine/network.h"

namespace tinyllm {

struct PlainLayer {
    Norm attn_norm;
    Linear qkv;
    Linear o;
    Norm ffn_norm;
    Linear up;
    Linear down;
};

/// The layers under llama.cpp's names. `qkv`: how the rows of q, k and v stand in GGUF.
enum class QkvTensors { one, three };
std::vector<PlainLayer> load_plain_layers(const Config& config, WeightLoader& weights, QkvTensors qkv);

/// Heads that share the width evenly, as many for keys and values. Throws Error(corrupt) naming `file`.
void split_heads(Config& config, const std::string& file);

/// The sizes, the norms' epsilon and whether the head is tied, under the keys that GGUF uses for all
/// families. Throws Error(unsupported) where there are fewer key/value heads than heads.
Config read_plain_sizes(const GgufConfig& keys);
void write_plain_sizes(const Config& config, const std::string& architecture, GgufWriter& out);

}  // namespace tinyllm
