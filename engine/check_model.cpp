// The architecture's own build() knows best which tensors belong to a model; a backend that keeps nothing
// lets it say so.
#include "engine/check_model.h"

#include <cstdlib>

#include "engine/network.h"
#include "kernels/backend.h"

namespace tinyllm {

namespace {

class NothingKept final : public Backend {
  public:
    std::string name() const override { return "none"; }
    std::string description() const override { return "keeps nothing"; }
    int threads() const override { return 1; }

    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
        return {new std::byte[bytes](), std::default_delete<std::byte[]>()};
    }
    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override {
        Matrix matrix;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!watch->accept(i, stored_bytes(parts[i]))) return {};
            matrix.rows += parts[i].rows;
            matrix.cols = parts[i].cols;
            watch->done(i, stored_bytes(parts[i]));
        }
        return matrix;
    }

    void embed(const EmbedArgs&) override { std::abort(); }
    void norm(const NormArgs&) override { std::abort(); }
    void linear(const LinearArgs&) override { std::abort(); }
    void glu(const GluArgs&) override { std::abort(); }
    void qkv(const QkvArgs&) override { std::abort(); }
    void attend(const AttendArgs&) override { std::abort(); }
    void logits(const LogitsArgs&) override { std::abort(); }
    void score(const ScoreArgs&) override { std::abort(); }
    void copy_kv(const CopyKvArgs&) override { std::abort(); }
};

}  // namespace

void check_model(const ModelSource& source) {
    NothingKept backend;
    WeightLoader weights(*source.architecture, source.config, *source.tensors, source.form, backend, {});
    (void)source.architecture->build(source.config, weights);
    weights.finish();
}

}  // namespace tinyllm
