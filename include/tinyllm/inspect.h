// What a model's files hold and what running them takes, without loading them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tinyllm/dtype.h"
#include "tinyllm/export.h"
#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {

struct TensorInfo {
    std::string name;                 ///< as the file spells it
    std::string gguf_name;            ///< as GGUF does
    std::vector<std::int64_t> shape;  ///< outermost first
    DType type = DType::f32;
    std::int64_t bytes = 0;      ///< in the file
    bool read_each_step = true;  ///< false: a decode step reads a row of it at most
    bool transposed = false;     ///< a matrix stored as (inputs, outputs)
    /// Of a matrix y = w x.
    std::int64_t outputs() const { return shape[transposed ? 1 : 0]; }
    std::int64_t inputs() const { return shape[transposed ? 0 : 1]; }
};

struct ModelFacts {
    ModelInfo info;  ///< without backend, threads and load time
    std::int64_t ff_dim = 0;
    std::string
        tokenizer;  ///< "gpt2, pre-tokenizer llama-bpe" (GGUF's words), "tokenizer.json: BPE"; empty: none
    std::vector<TensorInfo> tensors;  ///< those that belong to the model, in file order
    double bits_per_weight = 0;
};

/// Reads configuration and tensor descriptions. Throws Error: not_found, unsupported, corrupt.
TINYLLM_API ModelFacts inspect_model(const std::string& path);

/// How a tensor is held once it is loaded.
struct HeldTensor {
    DType type = DType::f32;  ///< of the packed form
    std::int64_t bytes = 0;
};
/// Of a model loaded with `options`; options.device as in predict_memory().
TINYLLM_API HeldTensor held_tensor(const TensorInfo& tensor, const ModelOptions& options);

/// What inspect_model() would tell of the file that convert_to_gguf() writes with this `mixture`, `fallback`
/// and no importance matrix; names and order stay. Throws Error(usage) for a name that is no mixture's.
TINYLLM_API ModelFacts with_mixture(ModelFacts facts, const std::string& mixture);

/// Bytes that a model loaded with `options` and one session that holds `positions` tokens will take; those of
/// options.device "cuda" are told in any build, "auto" counts as "cpu". Throws Error(unsupported) for a cache
/// type that the model's heads cannot be kept as.
TINYLLM_API MemoryUse predict_memory(const ModelFacts& facts, const ModelOptions& options,
                                     const SessionOptions& session, std::int64_t positions);

/// Bytes of weights, as a model loaded with `options` holds them, that one decode step reads.
TINYLLM_API std::int64_t decode_bytes(const ModelFacts& facts, const ModelOptions& options);

}  // namespace tinyllm
