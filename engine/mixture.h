// llama.cpp's mixtures: which type each weight of a file "Q4_K_M" gets. A table of our own; the rules are
// those of llama.cpp's quantizer, against which tests/files/llama_cpp_mixtures_test.py holds them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/dtype.h"

namespace tinyllm {

/// What a weight does, as far as the rules care.
enum class WeightKind { embedding, head, values, attention_output, ffn_down, other };

/// The layers a rule is for: of the weight's place among its kind and the number of them.
enum class Layers {
    all,
    first_two,
    first_four,
    first_sixteenth,
    first_eighth,
    sensitive,  // the first and the last eighth, and every third between
};

/// When a rule holds at all.
enum class Given {
    always,
    shared_values,
    importance,
    no_importance
};  // shared_values: by 4 query heads or more

struct MixtureRule {
    WeightKind kind;
    Layers layers;
    Given given;
    DType type;
};

struct Mixture {
    std::string_view name;           // llama.cpp's: "Q4_K_M"
    std::uint32_t file_type;         // general.file_type
    DType base;                      // of what no rule matches
    std::vector<MixtureRule> rules;  // the first that matches wins
};

/// Null for a name that is none, whatever its case.
const Mixture* find_mixture(std::string_view name);

struct MixtureModel {
    std::int64_t n_layers = 0;  // of an encoder-decoder: the encoder's
    std::int64_t heads_per_kv_head = 1;
    bool has_importance = false;
};

/// The type of each of `names`, a model's matrices under their GGUF names. A head that is the embedding is a
/// head.
std::map<std::string, DType> mixture_types(const Mixture& mixture, std::span<const std::string> names,
                                           const MixtureModel& model);

}  // namespace tinyllm
