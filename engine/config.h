// What an architecture's arithmetic depends on, whatever file it came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace tinyllm {

/// Angle of pair i at position p: p * theta^(-2i / dims) / (linear_factor * factors[i]).
struct RopeConfig {
    std::int32_t dims = 0;  // rotated elements per head; 0: no rope
    double theta = 10000;
    double linear_factor = 1;
    std::vector<float> factors;  // (dims / 2), or empty: all 1
    std::int32_t steps = 0;      // cos and sin are rounded to multiples of 1 / steps; 0: not rounded
};

struct Config {
    std::string file;  // for messages
    std::int64_t n_layers = 0;
    std::int64_t dim = 0;  // width of the residual stream
    std::int64_t n_heads = 0;
    std::int64_t n_kv_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t ff_dim = 0;
    std::int64_t vocab_size = 0;
    std::int64_t context = 0;  // positions the model was made for; 0 in a folder's: its tokenizer tells
    bool open_ended = false;   // it can compute more of them
    float norm_eps = 0;
    Activation activation = Activation::none;
    RopeConfig rope;
    std::int32_t window = 0;  // sliding attention window; 0: none
    bool tied_head = false;   // the head is the embedding
    bool qkv_bias = false;
    bool attention_out_bias = false;
    bool mlp_bias = false;
    bool parallel_residual = false;  // attention and MLP both read the layer's input
    bool norm_after = false;         // of each branch, not before it
    bool final_norm = true;
    std::int64_t embedding_dim = 0;         // of tokens, where projections lead to and from dim; 0: dim
    bool scale_attention = true;            // by 1 / sqrt(head_dim)
    bool scale_attention_by_layer = false;  // also by 1 / (layer + 1)
    float logit_scale = 1;
    bool gated_mlp = false;  // where a family has it both ways

    // Encoder-decoders; n_layers counts the decoder's layers.
    std::int64_t encoder_layers = 0;       // 0: no encoder
    std::int64_t decoder_start = 0;        // token the decoder's text begins with
    std::int64_t relative_buckets = 0;     // of distances that share a bias; 0: no such bias
    std::int64_t relative_distance = 128;  // from here on all share one
};

/// Throws Error(corrupt) for sizes that are absent, absurd or contradict one another. Every product of two
/// sizes fits int64 afterwards.
void check_config(const Config& config);

}  // namespace tinyllm
