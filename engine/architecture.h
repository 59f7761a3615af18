// What an architecture file provides. architectures/<name>.cpp defines `const Architecture&
// architecture_<name>()`; a table of all is generated from the file names (cmake/Registry.cmake), so nothing
// else names an architecture.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

class GgufConfig;  // engine/gguf_config.h: the architecture's keys of a GGUF file, with every read key marked
class GgufWriter;
class HfConfig;      // engine/hf_config.h: config.json with every read key marked
class Network;       // engine/network.h
class WeightLoader;  // engine/weights.h
struct Config;       // engine/config.h

/// order[r] = the stored row that row r of the engine's own layout is.
using RowOrder = std::vector<std::int32_t> (*)(const Config& config);

/// One tensor of an architecture under its two names. '#' stands for the layer. A tensor that checkpoints
/// store under one or several of various names has one rule for each, the usual name's first.
struct TensorRule {
    std::string_view gguf;  // "blk.#.attn_q.weight"
    std::string_view hf;    // "layers.#.self_attn.q_proj.weight", without any of Architecture::hf_prefixes
    /// Hugging Face stores (inputs, outputs), the Conv1D of GPT-2.
    bool hf_transposed = false;
    /// Null: the rows (of a vector: the elements) stand as the engine wants them. So, written as GGUF, row
    /// gguf_rows[r] is the Hugging Face row hf_rows[r].
    RowOrder hf_rows = nullptr;
    RowOrder gguf_rows = nullptr;
};

struct Architecture {
    std::string_view name;                      // general.architecture in GGUF
    std::vector<std::string_view> model_types;  // model_type in config.json

    /// Reads every key that changes the arithmetic; keys nobody read and nobody knows as harmless are an
    /// error afterwards.
    Config (*from_hf)(const HfConfig& config);
    Config (*from_gguf)(const GgufConfig& config);
    /// Writes the keys llama.cpp reads for this architecture, our own for what it has no key for, and tensors
    /// that only GGUF has.
    void (*to_gguf)(const Config& config, GgufWriter& writer);

    /// Binds every tensor by its GGUF name, packs it into the loader's backend, and returns the runnable
    /// network.
    std::unique_ptr<Network> (*build)(const Config& config, WeightLoader& weights);

    std::vector<TensorRule> tensors;
    /// Stand before most Hugging Face names, "transformer."; names are tried with and without them.
    std::vector<std::string_view> hf_prefixes;
    /// Hugging Face names of buffers that old checkpoints carry and nobody needs.
    std::vector<std::string_view> hf_ignored;
    /// GGUF tensors that from_gguf reads into the config.
    std::vector<std::string_view> gguf_in_config;
};

/// Null if there is none.
const Architecture* find_architecture_by_name(std::string_view gguf_name);
const Architecture* find_architecture_by_model_type(std::string_view model_type);
std::vector<std::string_view> architecture_names();

/// `pattern` with '#' replaced by the layer.
std::string layer_name(std::string_view pattern, std::int64_t layer);

/// The rule and layer of a stored name; rule null if the architecture has no such tensor. Layer is -1 for
/// tensors outside the layers.
struct RuleMatch {
    const TensorRule* rule = nullptr;
    std::int64_t layer = -1;
};
RuleMatch match_gguf_name(const Architecture& architecture, std::string_view name);
RuleMatch match_hf_name(const Architecture& architecture, std::string_view name);
/// Whether `name` is one of hf_ignored, or the duplicate of a tied head.
bool is_ignored_hf_name(const Architecture& architecture, const Config& config, std::string_view name);

/// llama.cpp's order of rope rows, in which neighbours are rotated together: its row of each of our rows,
/// where i pairs with i + dims / 2, for `n_heads` heads of `head_dim` whose first `dims` elements are
/// rotated.
std::vector<std::int32_t> interleaved_rope_rows(std::int64_t n_heads, std::int64_t head_dim,
                                                std::int64_t dims);

/// Rows of a fused projection that Hugging Face interleaves head by head (q, k, v of head 0, then of head 1,
/// …): its row of each of ours, which stand q over k over v.
std::vector<std::int32_t> interleaved_qkv_rows(std::int64_t n_heads, std::int64_t head_dim);

}  // namespace tinyllm
