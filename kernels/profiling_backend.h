// A backend that has another one do its work and takes note of what each op took. Kernels and engine do not
// know of it; a model loaded without ModelOptions::profile has none.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/forwarding_backend.h"
#include "tinyllm/profile.h"

namespace tinyllm {

class ProfilingBackend final : public ForwardingBackend {
  public:
    explicit ProfilingBackend(std::unique_ptr<Backend> inner) : ForwardingBackend(std::move(inner)) {}

    void embed(const EmbedArgs& args) override;
    void norm(const NormArgs& args) override;
    void linear(const LinearArgs& args) override;
    void glu(const GluArgs& args) override;
    void qkv(const QkvArgs& args) override;
    void attend(const AttendArgs& args) override;
    void logits(const LogitsArgs& args) override;
    void score(const ScoreArgs& args) override;
    void copy_kv(const CopyKvArgs& args) override;
    bool top(const TopArgs& args) override;
    void step(const std::function<void()>& ops) override { ops(); }  // each op is waited for

    /// Per op, kind of products and name of its matrix (Matrix::name; of attention, the matrix that made its
    /// queries), in the order of first calls; `stage` is empty. Needs the mutex, as ops do.
    const std::vector<StageUse>& uses() const { return uses_; }
    void clear() { uses_.clear(); }

  private:
    /// What a call moves and computes.
    struct Work {
        double weight_bytes = 0, cache_bytes = 0, multiply_adds = 0;
        Products products = Products::f32;
    };
    using Clock = std::chrono::steady_clock;

    template <typename Call>
    void record(std::string_view op, const Matrix* weights, std::string_view name, const Work& work,
                const Call& call);
    StageUse& use_of(std::string_view op, const Matrix* weights, std::string_view name, Products products);
    Work product(const Matrix& w, std::size_t rows, Phase phase) const;

    std::vector<StageUse> uses_;
    // Who made the queries that attention will be given.
    const float* linear_out_ = nullptr;
    std::string_view linear_name_, qkv_name_;
};

}  // namespace tinyllm
