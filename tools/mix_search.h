// Which type each weight should have, to make a model no larger than asked or no less accurate.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tinyllm/convert.h"
#include "tools/eval/accuracy.h"
#include "tools/output.h"

namespace tinyllm {

struct MixGoal {
    std::optional<std::int64_t> bytes;  ///< the file's largest size
    std::optional<double> accuracy;     ///< least share of the accuracy of the model as stored, of every task
    const eval::AccuracyMeter* meter = nullptr;  ///< with `accuracy`
    std::string text;                            ///< to measure predictions on; empty: the model's own words
    std::string scratch;                         ///< where mixes that are tried may be written, a file's name
};

struct FoundMix {
    ConvertOptions options;  ///< what writes it
    Json report;             ///< what was measured and tried, for --format json
};

/// The smallest mix that keeps the accuracy, or the best one of the size. `base`: what is asked of some
/// tensors (tensor_types, token_embedding_type, output_type, imatrix) holds; `type` and `mixture` are empty.
/// Says on standard error what it tries. The same for every run and number of threads. Throws
/// Error(check_failed) where no mix reaches the goal.
///
/// 1. Every weight's error in every type, as `quantize` reports it.
/// 2. What such errors cost: each kind of weight ("blk.#.ffn_up.weight") alone in about 4 bits, the
/// divergence of the
///    predictions from the model's own divided by its error.
/// 3. From the most accurate types down, one weight one type smaller at a time: mix_path.h.
/// 4. The size ends the descent; an accuracy is looked for by bisection over it.
FoundMix find_mix(const std::string& input, const ConvertOptions& base, const MixGoal& goal);

/// "60M" (bytes; K, M, G are powers of 1000, KiB, MiB, GiB of 1024), or "0.25": a share of `parameters` in
/// f32. Throws Error(usage).
std::int64_t parse_target_size(const std::string& text, std::int64_t parameters);

}  // namespace tinyllm
