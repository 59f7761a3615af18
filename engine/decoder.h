// Runs batches of rows through a network: activations, rope tables and the KV pool that all sessions of a
// model share.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/network.h"
#include "engine/step.h"

namespace tinyllm {

/// Tokens to run behind what a sequence holds.
struct Job {
    Sequence* sequence = nullptr;
    std::span<const std::int32_t> tokens;
    const Sequence* encoded = nullptr;  // what encode() made of the context; null without an encoder
};

/// One job's part of a step: tokens [offset, offset + n) stand in rows [first_row, first_row + n).
struct JobRows {
    std::size_t job = 0;
    std::int64_t offset = 0;
    std::int32_t first_row = 0;
    std::int32_t n = 0;
};

class Decoder {
  public:
    /// The decoder of `network` and these cache types: one for all sessions that use it at the same time.
    /// Needs the backend's mutex.
    static std::shared_ptr<Decoder> shared(const Network& network, Backend& backend, DType k_type,
                                           DType v_type);

    Decoder(const Network& network, Backend& backend, DType k_type, DType v_type);

    const std::shared_ptr<KvPool>& pool() const { return pool_; }
    bool has_encoder() const { return network_.encoder() != nullptr; }

    /// Runs every job to its end, at most `chunk` rows a step, in order; `visit` sees each step's rows while
    /// logits() and score() can read them. In Phase::decode every job is one token. The caller has checked
    /// tokens and lengths. Needs the backend's mutex.
    void run(std::span<const Job> jobs, std::int32_t chunk, Phase phase,
             const std::function<void(std::span<const JobRows>)>& visit);

    /// Allocates what a token behind `sequence` will want, so that its step, which a device repeats, does
    /// not. Needs the backend's mutex.
    void prepare(const Sequence& sequence) {
        sequence.prepare();
        (void)rope_until(sequence.length() + 1);
    }

    /// Has the encoder read each job's tokens, as many jobs a step as `chunk` rows hold, at least one; what
    /// the decoder's layers read of them is left in the job's sequence, which was empty. Needs the backend's
    /// mutex.
    void encode(std::span<const Job> jobs, std::int32_t chunk);

    /// What the head reads of row `row` of the last step, (head_width()); of encode(), its output.
    const float* hidden(std::int32_t row) const { return hidden_.data + row * hidden_.width; }
    std::int64_t head_width() const { return network_.head().w->cols; }

    /// Logits of rows of the last step, (rows, vocab).
    void logits(std::span<const std::int32_t> rows, float* out);
    /// log p(targets[i]) and the best token at rows[i] of the last step.
    void score(std::span<const std::int32_t> rows, std::span<const std::int32_t> targets, float* logprobs,
               std::int32_t* best);
    /// Logits of one row that the caller kept from a step of `phase`, (vocab).
    void logits_of(const float* hidden, Phase phase, float* out);
    /// The largest of them: Backend::top() with the head's part of `args` filled in.
    bool top_of(const float* hidden, Phase phase, TopArgs args);

    std::int64_t scratch_bytes() const;

  private:
    void step(const Batch& batch);
    void encode_step(const Batch& batch);
    Rope rope_until(std::int64_t positions);

    const Network& network_;
    Backend& backend_;
    std::shared_ptr<KvPool> pool_;
    Scratch scratch_;
    Rows hidden_;
    Phase phase_ = Phase::prompt;  // of the last step
    std::shared_ptr<std::byte> rope_memory_;
    std::int64_t rope_positions_ = 0;
};

}  // namespace tinyllm
