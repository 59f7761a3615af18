// The words in which an architecture's layer is written: each is one fused op of the backend on the rows of
// the running step. Results live in scratch memory until the layer ends.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/config.h"
#include "engine/weights.h"
#include "kernels/backend.h"

namespace tinyllm {

/// (n, width) f32 in the backend's memory.
struct Rows {
    float* data = nullptr;
    std::int64_t width = 0;
};

/// Tokens of one or several sequences that run through the model together.
struct Batch {
    std::vector<std::int32_t> tokens;     // (n)
    std::vector<std::int32_t> positions;  // (n)
    std::vector<Segment> segments;        // cover the n rows
    std::vector<Segment> encoded;         // of a decoder behind an encoder: the same rows, the encoder's keys
    Phase phase = Phase::prompt;
    std::int32_t n() const { return static_cast<std::int32_t>(tokens.size()); }
};

/// Buffers that grow to the largest step seen and are handed out in the order of the calls, so that every
/// layer gets the same ones.
class Scratch {
  public:
    explicit Scratch(Backend& backend) : backend_(backend) {}
    float* take(std::int64_t floats);
    void rewind(std::size_t to) { next_ = to; }
    std::size_t mark() const { return next_; }
    std::int64_t bytes() const;

  private:
    struct Slot {
        std::shared_ptr<std::byte> memory;
        std::int64_t floats = 0;
    };
    Backend& backend_;
    std::vector<Slot> slots_;
    std::size_t next_ = 0;
};

class Step {
  public:
    Step(Backend& backend, const Config& config, Scratch& scratch, const Batch& batch, const Rope& rope,
         std::span<const KvLayer> kv)
        : backend_(backend), config_(config), scratch_(scratch), batch_(batch), rope_(rope), kv_(kv) {}

    std::int32_t n() const { return batch_.n(); }

    /// table[token], and positions[position + offset] where a table of positions is given.
    Rows embed(const Matrix& table, const Matrix* positions = nullptr, std::int32_t offset = 0);
    /// table[position + offset] alone.
    Rows positions(const Matrix& table, std::int32_t offset);
    /// In place.
    void norm(Rows x, const Norm& norm);
    Rows linear(Rows x, const Norm& norm, const Linear& l, Activation activation = Activation::none);
    /// x += l(in)
    void linear_add(Rows in, const Linear& l, Rows x);
    /// activation(gate) * up, from rows gate over up of `l`.
    Rows glu(Rows x, const Norm& norm, const Linear& l, Activation activation);
    /// The queries; keys and values go to the cache of `layer`. Rotated by the config's rope.
    Rows qkv(Rows x, const Norm& norm, const Linear& l, std::int64_t layer);
    /// Attention of the queries to the cache of `layer`, within the config's window. `alibi`: (n_heads)
    /// slopes or null.
    Rows attend(Rows q, std::int64_t layer, const float* alibi = nullptr);
    Rows attend(Rows q, std::int64_t layer, const RelativeBias& bias);

    /// Attention of a decoder's queries to what the encoder gave layer `layer`.
    Rows attend_encoded(Rows q, std::int64_t layer);
    /// An encoder gives decoder layer `layer` its keys and values, rows k over v of `l`.
    void remember(Rows x, const Linear& l, std::int64_t layer);

  private:
    Rows take(std::int64_t width) { return {scratch_.take(width * n()), width}; }
    Rows attend_to(std::span<const Segment> segments, Rows q, std::int64_t layer, std::int32_t window,
                   const float* alibi, const RelativeBias& bias);

    Backend& backend_;
    const Config& config_;
    Scratch& scratch_;
    const Batch& batch_;
    const Rope& rope_;
    std::span<const KvLayer> kv_;
};

inline const Norm kNoNorm{};

}  // namespace tinyllm
