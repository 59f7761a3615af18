// How much memory and time a model would take on a board, by arithmetic: nothing of the weights is read.
// Every figure is an estimate; docs/predict.md has the formula and how far it was off where it was measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tinyllm/inspect.h"
#include "tools/predict/board.h"

namespace tinyllm::predict {

/// A model's facts, from the head of its files or, where none are at hand, from its known shape.
struct Subject {
    ModelFacts facts;
    bool from_shape = false;  ///< no file was at hand: the weights are as the publisher stored them
};

/// `model`: a folder, a .gguf file, org/name in the hub's cache, or the id of a known checkpoint. Throws
/// Error(not_found) naming where it looked and the known ones.
Subject subject_of(const std::string& model);

/// What is asked of a model at a time, in tokens, as means may be. No answers: the logits behind the prompt
/// alone (protocol study), else the log-likelihood of the answers (protocol lm-eval).
struct Question {
    double contexts = 1;  ///< that differ; winogrande has two
    double prompt = 100;  ///< tokens of each
    double answers = 4;   ///< behind each
    double answer = 5;    ///< tokens of each
};

struct Run {
    std::string device = "cpu";  ///< or "cuda": the GPU in `gpu_mode`
    std::string gpu_mode = {};   ///< empty: the first
    int threads = 0;             ///< 0: the board's own
    bool exact = false;
    SessionOptions session = {};  ///< cache types
    Question question = {};
    std::int64_t prompt = 100;   ///< tokens of the prompt whose speed is told
    std::int64_t generate = 32;  ///< tokens generated behind it
    std::int64_t depth = 0;      ///< positions in the cache before either
};

/// All of it estimated.
struct Estimate {
    MemoryUse memory;                    ///< bytes, predict_memory()'s
    std::int64_t weight_file_bytes = 0;  ///< of the file that would be loaded
    std::optional<bool> fits;            ///< in what the board leaves to it; nothing where that is not known
    double question_ms = 0;              ///< one question, both protocols as Run says
    double prompt_ms = 0, prompt_tokens_per_s = 0;
    double token_ms = 0, tokens_per_s = 0;  ///< generating behind the prompt
    std::optional<double> load_ms;          ///< from the page cache; nothing for a GPU
    double prompt_flops = 0;                ///< operations of the prompt's products and attention
    double token_bytes = 0;                 ///< weights and cache that a generated token reads
};

/// `type`: "stored", a type that weights are rounded to at load ("q8_0", as `study --types`), or a mixture
/// ("q4_k_m", as `quantize --type` with its fallback). Throws Error(usage) for a type, device or mode that
/// there is not, and for weights that cannot be so.
Estimate estimate(const ModelFacts& facts, const std::string& type, const Board& board, const Run& run);

}  // namespace tinyllm::predict
