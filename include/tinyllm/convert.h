// Rewriting models: Hugging Face folder -> GGUF, GGUF -> quantized GGUF.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tinyllm/dtype.h"
#include "tinyllm/export.h"

namespace tinyllm {

/// One written tensor.
struct TensorReport {
    std::string name;
    std::vector<std::int64_t> shape;
    DType from = DType::f32;
    DType to = DType::f32;
    double bits_per_weight = 0;
    double rms_error = 0;       ///< relative: rms(x - stored x) / rms(x)
    double weighted_error = 0;  ///< the same, columns weighed by the importance matrix; 0 without one
    std::string note;           ///< why another type than the one asked for, empty otherwise
};

struct ConvertReport {
    std::vector<TensorReport> tensors;
    std::int64_t bytes = 0;  ///< of the written file
    std::int64_t parameters = 0;
    std::vector<std::string> notes;  ///< what the file lacks that one might expect, one line each
};

struct ConvertOptions {
    /// Type of the 2-D weights; norms and biases stay f32. Default: as stored.
    std::optional<DType> type;
    /// (regular expression on the GGUF tensor name, type); the first match wins over `type`.
    std::vector<std::pair<std::string, DType>> tensor_types;
    /// One of mixture_names(), in any case, instead of `type`: each weight gets the type that llama.cpp's
    /// quantizer gives it. Where rows are no multiple of that type's block, `fallback` must allow the
    /// substitute.
    std::string mixture;
    /// Of the embedding and of the head, whatever `type`, `mixture` and `tensor_types` say. A head that is
    /// the embedding takes `output_type` unless `token_embedding_type` is given too.
    std::optional<DType> token_embedding_type, output_type;
    /// An importance matrix's file (tinyllm/imatrix.h), or empty. Weights that it does not have are rounded
    /// without.
    std::string imatrix;
    /// A tensor whose rows are no multiple of its type's block becomes f16. With this, one that cannot have a
    /// K type gets llama.cpp's substitute, if its rows are multiples of 32: q4_k q5_0, q5_k q5_1, q6_k q8_0,
    /// q2_k and q3_k q4_0; and one of our own iq4_nl.
    bool fallback = false;
    bool dry_run = false;  ///< report only, write nothing
    std::function<void(const TensorReport&)> progress;
};

/// llama.cpp's names of the mixtures there are, largest first: "Q8_0", "Q6_K", "Q5_K_M", …
TINYLLM_API std::vector<std::string_view> mixture_names();

/// Writes `output` as GGUF v3 with llama.cpp's names, keys and rope order, tokenizer included.
/// `input`: a Hugging Face folder or a .gguf file. Written to a temporary name, then renamed.
TINYLLM_API ConvertReport convert_to_gguf(const std::string& input, const std::string& output,
                                          const ConvertOptions& options = {});

}  // namespace tinyllm
