// What an architecture file provides. architectures/<name>.cpp defines `const Architecture& architecture_<name>()`; a table of all is
// generated from the file names (cmake/Registry.cmake), so nothing else names an architecture.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

class GgufFile;
class GgufWriter;
class HfConfig;   // engine/hf_config.h: config.json with every read key marked
class Network;    // engine/network.h
class WeightLoader;  // engine/weights.h
struct Config;    // engine/config.h

struct Architecture {
    std::string_view name;                      // general.architecture in GGUF
    std::vector<std::string_view> model_types;  // model_type in config.json

    /// Reads every key that changes the arithmetic; keys nobody read and nobody knows as harmless are an error afterwards.
    Config (*from_hf)(const HfConfig& config);
    Config (*from_gguf)(const GgufFile& file);
    /// Writes the keys llama.cpp reads for this architecture.
    void (*to_gguf)(const Config& config, GgufWriter& writer);

    /// Binds every tensor by its GGUF name, packs it into the loader's backend, and returns the runnable network.
    std::unique_ptr<Network> (*build)(const Config& config, WeightLoader& weights);

    /// GGUF name <-> Hugging Face name; '#' stands for the layer. The Hugging Face names are tried with and without `hf_prefix`.
    struct Name {
        std::string_view gguf;
        std::string_view hf;
    };
    std::vector<Name> names;
    std::string_view hf_prefix;  // "transformer.", "model."
};

/// Null if there is none.
const Architecture* find_architecture_by_name(std::string_view gguf_name);
const Architecture* find_architecture_by_model_type(std::string_view model_type);
std::vector<std::string_view> architecture_names();

}  // namespace tinyllm
