// A model's arithmetic: what an architecture file builds from a config and weights. Immutable.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/config.h"
#include "engine/weights.h"

namespace tinyllm {

class Decoder;
class Step;
struct Rows;

/// logits = scale * (w norm(x)) + bias
struct Head {
    Norm norm;
    const Matrix* w = nullptr;
    const float* bias = nullptr;
    float scale = 1;
};

/// The part of an encoder-decoder that reads a whole context, every row of it seeing all others, before the
/// decoder writes. config.encoder_layers layers.
class Encoder {
  public:
    virtual ~Encoder() = default;
    virtual Rows begin(Step& step) const = 0;
    virtual void layer(Step& step, Rows x, std::int64_t layer) const = 0;
    /// Gives every decoder layer its keys and values (Step::remember); returns what they were made of.
    virtual Rows end(Step& step, Rows x) const = 0;
};

class Network {
  public:
    explicit Network(const Config& c) : config(c) {}
    virtual ~Network() = default;

    /// Token rows to the residual stream, (n, dim).
    virtual Rows begin(Step& step) const = 0;
    /// One block of the model, in place on `x`.
    virtual void layer(Step& step, Rows x, std::int64_t layer) const = 0;
    /// What the head reads; (n, head.w->cols).
    virtual Rows end(Step& step, Rows x) const;
    virtual Head head() const = 0;
    /// Null for a decoder alone.
    virtual const Encoder* encoder() const { return nullptr; }

    const Config config;
    std::vector<std::shared_ptr<const void>> memory;  // of the vectors that the weights point into

    /// Running decoders by the types of their caches; guarded by the backend's mutex.
    mutable std::map<std::pair<DType, DType>, std::weak_ptr<Decoder>> decoders;
};

/// Architecture::build for a network class.
template <typename T>
std::unique_ptr<Network> build_network(const Config& config, WeightLoader& weights) {
    return std::make_unique<T>(config, weights);
}

}  // namespace tinyllm
