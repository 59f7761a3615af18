// What share of a machine's measured limits the engine's products reach, by the type that weights are held
// in.
#pragma once

#include <map>

#include "tinyllm/dtype.h"

namespace tinyllm::predict {

/// What limits y = w x over `rows` rows of x, with w of `bytes` and n weights:
///   memory    bytes / (read x all threads' bandwidth)
///   threads   bytes / (stream x threads x one thread's bandwidth)
///   products  2 n (rows + unpack) / (product x rate)
/// The time is the cube root of the sum of their cubes: near the largest, more where two are alike.
struct Shares {
    double read = 0;     ///< of the bandwidth of all threads
    double stream = 0;   ///< of the bandwidth of one thread, for each
    double product = 0;  ///< of the inner product's rate
    double unpack = 0;   ///< rows of x whose products cost as much as unpacking the weights once
};

using SharesTable = std::map<DType, Shares>;

/// Measured on the machine that docs/predict.md names. Of types never timed: those of the nearest type that
/// was.
Shares default_shares(DType held);

/// What attention, the rest of an op and threads' waiting cost; measured likewise.
struct Overheads {
    double attention = 0;           ///< share of the f32 rate
    double op_seconds = 0;          ///< an op, beside the threads' meeting
    double step_seconds = 0;        ///< a step: tables, bookkeeping, the way of the logits
    double waiting = 0;             ///< share of the rate that a crowd of threads loses: x (1 - 1 / threads)
    double load_share = 0;          ///< of one thread's bandwidth, at which files are read and packed
    double load_token_seconds = 0;  ///< for each token of the vocabulary
};
Overheads default_overheads();

}  // namespace tinyllm::predict
