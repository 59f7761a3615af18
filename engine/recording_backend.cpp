#include "engine/recording_backend.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "engine/architecture.h"

namespace tinyllm {
namespace {

/// GGUF's names of the matrix's parts, each once.
std::set<std::string> weights_of(const Matrix& w) {
    std::set<std::string> names;
    std::istringstream parts(w.name);
    for (std::string part; std::getline(parts, part, '+');)
        names.insert(layer_name(part + ".weight", w.layer));
    return names;
}

class RecordingBackend final : public ForwardingBackend {
  public:
    RecordingBackend(std::unique_ptr<Backend> inner, ImportanceMatrix& matrix)
        : ForwardingBackend(std::move(inner)), matrix_(matrix) {}

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
    bool top(const TopArgs& args) override {
        record(*args.head, 1, args.x, args.norm);
        return inner().top(args);
    }

  private:
    void record_rows(const Matrix& w, std::span<const std::int32_t> rows, const float* x, const Norm& norm) {
        for (const std::int32_t row : rows) record(w, 1, x + row * w.cols, norm);
    }

    void record(const Matrix& w, std::int32_t n, const float* x, const Norm& norm) {
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
        rows_.resize(static_cast<std::size_t>(n * w.cols));
        inner().read(rows_.data(), x, rows_.size() * sizeof(float));
        squares_.assign(static_cast<std::size_t>(w.cols), 0.0);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            squares_[i % squares_.size()] += static_cast<double>(rows_[i]) * rows_[i];
        }
        for (const std::string& name : weights_of(w)) {
            InputStatistics& input = matrix_.inputs[name];
            input.squares.resize(squares_.size());
            std::ranges::transform(input.squares, squares_, input.squares.begin(), std::plus<>{});
            input.rows += n;
        }
    }

    ImportanceMatrix& matrix_;
    std::shared_ptr<std::byte> normed_;
    std::size_t normed_bytes_ = 0;
    std::vector<float> rows_;
    std::vector<double> squares_;
};

}  // namespace

std::unique_ptr<Backend> make_recording_backend(std::unique_ptr<Backend> inner, ImportanceMatrix& matrix) {
    return std::make_unique<RecordingBackend>(std::move(inner), matrix);
}

}  // namespace tinyllm
