#include "engine/recording_backend.h"

#include <algorithm>

namespace tinyllm {
namespace {

class RecordingBackend final : public ForwardingBackend {
  public:
    RecordingBackend(std::unique_ptr<Backend> inner, std::map<const std::byte*, std::string> names,
                     ImportanceMatrix& matrix)
        : ForwardingBackend(std::move(inner)), names_(std::move(names)), matrix_(matrix) {}

    /// None: what comes from a file of packed weights could not be told apart.
    std::string layout() const override { return ""; }

    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override {
        std::vector<InputStatistics*> inputs;  // of the parts: all read the same rows
        for (const RawMatrix& part : parts) {
            const auto found = names_.find(part.data);
            if (found == names_.end()) continue;
            InputStatistics& input = matrix_.inputs[found->second];
            input.squares.resize(static_cast<std::size_t>(part.cols));
            inputs.push_back(&input);
        }
        Matrix matrix = inner().pack(parts, watch);
        inputs_[matrix.memory.get()] = std::move(inputs);
        return matrix;
    }

    void linear(const LinearArgs& args) override {
        record(*args.w, args.n, args.x, args.norm);
        inner().linear(args);
    }
    void glu(const GluArgs& args) override {
        record(*args.w, args.n, args.x, args.norm);
        inner().glu(args);
    }
    void qkv(const QkvArgs& args) override {
        record(*args.w, args.n, args.x, args.norm);
        inner().qkv(args);
    }
    void logits(const LogitsArgs& args) override {
        record_rows(*args.head, args.rows, args.x, args.norm);
        inner().logits(args);
    }
    void score(const ScoreArgs& args) override {
        record_rows(*args.head, args.rows, args.x, args.norm);
        inner().score(args);
    }

  private:
    void record_rows(const Matrix& w, std::span<const std::int32_t> rows, const float* x, const Norm& norm) {
        for (const std::int32_t row : rows) record(w, 1, x + row * w.cols, norm);
    }

    void record(const Matrix& w, std::int32_t n, const float* x, const Norm& norm) {
        const auto found = inputs_.find(w.memory.get());
        if (found == inputs_.end() || found->second.empty()) return;
        if (norm.kind != NormKind::none) {
            const auto bytes = static_cast<std::size_t>(n * w.cols) * sizeof(float);
            if (normed_bytes_ < bytes) {
                normed_ = inner().allocate(bytes);
                normed_bytes_ = bytes;
            }
            auto* out = reinterpret_cast<float*>(normed_.get());
            inner().norm({n, w.cols, x, norm, out});
            x = out;
        }
        squares_.assign(static_cast<std::size_t>(w.cols), 0.0);
        for (std::int32_t row = 0; row < n; ++row, x += w.cols) {
            for (std::size_t i = 0; i < squares_.size(); ++i) squares_[i] += static_cast<double>(x[i]) * x[i];
        }
        for (InputStatistics* input : found->second) {
            std::ranges::transform(input->squares, squares_, input->squares.begin(), std::plus<>{});
            input->rows += n;
        }
    }

    std::map<const std::byte*, std::string> names_;
    ImportanceMatrix& matrix_;
    std::map<const void*, std::vector<InputStatistics*>> inputs_;  // by the packed matrix's memory
    std::shared_ptr<std::byte> normed_;
    std::size_t normed_bytes_ = 0;
    std::vector<double> squares_;
};

}  // namespace

std::unique_ptr<Backend> make_recording_backend(std::unique_ptr<Backend> inner,
                                                std::map<const std::byte*, std::string> names,
                                                ImportanceMatrix& matrix) {
    return std::make_unique<RecordingBackend>(std::move(inner), std::move(names), matrix);
}

}  // namespace tinyllm
