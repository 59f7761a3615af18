// A loaded model: weights, configuration, tokenizer. Immutable; share it between threads and sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tinyllm/dtype.h"
#include "tinyllm/export.h"
#include "tinyllm/profile.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

struct ImportanceMatrix;

struct ModelOptions {
    std::string device = "auto";  ///< "cpu", "auto", "ref" (the scalar specification); "cuda" where built
    int threads = 0;              ///< 0: TINYLLM_THREADS, else one per core within the CPU quota
    /// Where they run: "big" (the fastest cluster), "all", or a list such as "0-3,6", which also is the
    /// number of threads unless that is given. Empty: TINYLLM_CORES, else "big", joined by the next cluster
    /// where `threads` are more than its cores. A thread that calls the library is kept on these cores, as
    /// far as its own affinity has them, for as long as a call computes; then its affinity is what it was.
    std::string cores = {};
    bool exact = false;         ///< fp32 arithmetic and cache, no approximations
    std::optional<DType> type;  ///< weights of this type, rounded at load; default: as stored
    bool tokenizer = true;      ///< false: no tokenizer is looked for
    /// If given, all that the weights are multiplied with is added up here (tinyllm/imatrix.h) for as long as
    /// the model lives.
    ImportanceMatrix* record = nullptr;
    bool profile = false;  ///< take note of what each stage takes: Model::profile()
    std::string packed_cache =
        {};  ///< folder that keeps packed weights for the next load; empty: none is used
};

/// What `info` shows of a model.
struct ModelInfo {
    std::string path;
    std::string architecture;       ///< "gpt2", "llama"
    std::int64_t parameters = 0;    ///< tied weights once
    std::int64_t weight_bytes = 0;  ///< as stored in memory, tied weights once
    std::int64_t n_layers = 0, dim = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0, vocab_size = 0;
    std::int64_t context = 0;  ///< positions the model was made for
    std::int64_t encoder_layers =
        0;                         ///< of an encoder-decoder, whose n_layers are the decoder's; 0: no encoder
    bool encoder_decoder = false;  ///< reads a whole context, then writes a text of its own: see Session
    Token decoder_start = 0;       ///< what that text begins with
    DType main_type = DType::f32;  ///< the type that holds most weights
    std::string backend;           ///< "cpu (avx512_vnni, 2 threads)"
    int threads = 1;
    std::vector<int> cores;  ///< where they run; empty: anywhere
    double load_ms = 0;
    std::vector<Token> eos;          ///< ends generation: generation_config.json, config.json or GGUF
    std::vector<std::string> notes;  ///< one line per tensor that did not get ModelOptions::type
    std::string packed_file =
        {};  ///< of ModelOptions::packed_cache: the weights are mapped from it; or empty
    std::vector<std::string> warnings;  ///< what is wrong with it, one line each
};

class Backend;
class Network;
class ProfilingBackend;

class TINYLLM_API Model {
  public:
    /// `path`: a Hugging Face folder or a .gguf file. Throws Error.
    static std::shared_ptr<const Model> load(const std::string& path, const ModelOptions& options = {});
    ~Model();

    const ModelInfo& info() const { return info_; }
    /// Throws Error(unsupported) if the model was loaded without one.
    const Tokenizer& tokenizer() const;
    bool has_tokenizer() const { return tokenizer_ != nullptr; }
    bool exact() const { return exact_; }

    /// What all sessions of the model took since it was loaded or clear_profile(), stages in the order in
    /// which they first ran; empty without ModelOptions::profile.
    std::vector<StageUse> profile() const;
    void clear_profile() const;

    /// For the engine's own use.
    const Network& network() const { return *network_; }
    Backend& backend() const { return *backend_; }

  private:
    Model();
    ModelInfo info_;
    bool exact_ = false;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<Backend> backend_;
    ProfilingBackend* profiling_ = nullptr;  // backend_, if it is one
    std::unique_ptr<Network> network_;
};

}  // namespace tinyllm
