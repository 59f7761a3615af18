// A backend that has another one do everything; what takes note of ops derives from it and overrides those.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace tinyllm {

class ForwardingBackend : public Backend {
  public:
    explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

    std::string name() const override { return inner_->name(); }
    std::string description() const override { return inner_->description(); }
    int threads() const override { return inner_->threads(); }
    std::vector<int> cores() const override { return inner_->cores(); }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
    void write(void* to, const void* from, std::size_t bytes) override { inner_->write(to, from, bytes); }
    void read(void* to, const void* from, std::size_t bytes) override { inner_->read(to, from, bytes); }
    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override {
        return inner_->pack(parts, watch);
    }
    std::string layout() const override { return inner_->layout(); }
    std::size_t strip_bytes(DType type, std::int64_t rows, std::int64_t cols) const override {
        return inner_->strip_bytes(type, rows, cols);
    }
    Products products(const Matrix& w, Phase phase) const override { return inner_->products(w, phase); }
    std::vector<std::string> notes() const override { return inner_->notes(); }
    void embed(const EmbedArgs& args) override { inner_->embed(args); }
    void norm(const NormArgs& args) override { inner_->norm(args); }
    void linear(const LinearArgs& args) override { inner_->linear(args); }
    void glu(const GluArgs& args) override { inner_->glu(args); }
    void qkv(const QkvArgs& args) override { inner_->qkv(args); }
    void attend(const AttendArgs& args) override { inner_->attend(args); }
    void logits(const LogitsArgs& args) override { inner_->logits(args); }
    void score(const ScoreArgs& args) override { inner_->score(args); }
    void copy_kv(const CopyKvArgs& args) override { inner_->copy_kv(args); }
    bool top(const TopArgs& args) override { return inner_->top(args); }
    void step(const std::function<void()>& ops) override { inner_->step(ops); }

  protected:
    Backend& inner() const { return *inner_; }

  private:
    // A turn of this backend's is one of the other's.
    void begin_turn() noexcept override { inner_->mutex().lock(); }
    void end_turn() noexcept override { inner_->mutex().unlock(); }

    std::unique_ptr<Backend> inner_;
};

}  // namespace tinyllm
