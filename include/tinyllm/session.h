// A running conversation with a model: the KV cache and what is computed through it. One thread at a time.
//
// With an encoder-decoder (ModelInfo::encoder_decoder) the encoder reads one context, whole; positions, the
// tokens behind it and the cache are the decoder's, which begins with ModelInfo::decoder_start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tinyllm/dtype.h"
#include "tinyllm/export.h"
#include "tinyllm/model.h"
#include "tinyllm/sampler.h"

namespace tinyllm {

struct SessionOptions {
    std::int64_t context = 0;  ///< most positions per sequence; 0: the model's own
    /// Of the cache: f32, f16, or q8_0 and q4_0 where a head has a multiple of 32 elements; default f16, f32
    /// when the model is exact.
    std::optional<DType> k_type;
    std::optional<DType> v_type;
    std::int32_t chunk = 512;  ///< rows per prefill step
};

/// The types in which a session of `options` keeps keys and values.
struct CacheTypes {
    DType k, v;
};
TINYLLM_API CacheTypes cache_types(const SessionOptions& options, bool exact);

struct GenerateOptions {
    std::int64_t max_tokens = 128;
    SamplerOptions sampler;
    bool ignore_eos = false;
};

/// The lm-evaluation-harness contract.
struct Score {
    double logprob = 0;  ///< sum over the continuation
    std::int32_t n_tokens = 0;
    bool is_greedy = false;  ///< every continuation token was the most likely one
};

/// Continuations of one context. The context and every continuation hold at least one token.
struct ScoreRequest {
    std::vector<Token> context;
    std::vector<std::vector<Token>> continuations;
};

/// Bytes.
struct MemoryUse {
    std::int64_t weights = 0, kv = 0, scratch = 0;
    std::int64_t peak = 0;  ///< of the whole process, tokenizer and program included; 0: not told
    // Predicted where a GPU is used, else 0:
    std::int64_t device = 0;  ///< of the peak, what lies in the GPU's memory: the three above
    std::int64_t pinned = 0;  ///< of the peak, the host's memory that is sent from
    std::int64_t context =
        0;  ///< of the peak, what is allowed for the driver's and runtime's own; never measured
};

class TINYLLM_API Session {
  public:
    explicit Session(std::shared_ptr<const Model> model, const SessionOptions& options = {});
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    /// Runs `tokens` behind what the session holds. Throws Error(usage) when they would not fit the context.
    /// An encoder-decoder's first call has the encoder read them and the decoder begin: position() is then 1.
    void prefill(std::span<const Token> tokens);

    /// Logits behind the last token, (vocab); needs a prefill. Valid until the next call that runs the model.
    std::span<const float> logits();

    /// Generates behind the last token; `on_token` returning false stops. Returns the tokens, end token
    /// excluded.
    std::vector<Token> generate(const GenerateOptions& options,
                                const std::function<bool(Token)>& on_token = nullptr);

    /// Forgets everything behind the first `n` positions; with n = 0 also what the encoder read.
    void truncate(std::int64_t n);
    std::int64_t position() const;

    /// A second session that shares what is cached so far (copy on write).
    Session fork() const;

    /// log p(tokens[i] | tokens[0..i-1]) for i >= 1, in one pass; leaves the session as it was.
    /// `next_logits`, if given, receives the logits behind the last token. Not for encoder-decoders.
    std::vector<float> token_logprobs(std::span<const Token> tokens,
                                      std::vector<float>* next_logits = nullptr);

    /// log p(targets[i] | context, targets[0..i-1]) for every i, in one pass; leaves the session as it was.
    /// `last_logits`, if given, receives the logits that predict the last target.
    std::vector<float> target_logprobs(std::span<const Token> context, std::span<const Token> targets,
                                       std::vector<float>* last_logits = nullptr);

    /// Scores all continuations of all requests, in batches; each context runs once, and once what several
    /// begin with where it is worth it. Rows beyond the model's context are cut from the left, as the harness
    /// does: of an encoder-decoder the context alone, whose continuations are the decoder's text. Leaves the
    /// session as it was.
    std::vector<std::vector<Score>> loglikelihood(std::span<const ScoreRequest> requests);

    /// Logits behind the last token of each prompt, (prompts, vocab), run as batches. Leaves the session as
    /// it was.
    std::vector<std::vector<float>> last_logits(std::span<const std::vector<Token>> prompts);

    /// One decode step of several sessions of one model as one batch: session i takes tokens[i]; logits()
    /// then differ per session.
    static void decode_batch(std::span<Session* const> sessions, std::span<const Token> tokens);

    const Model& model() const;
    std::int64_t context() const;  ///< most positions per sequence
    MemoryUse memory() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tinyllm
