// Args of ops to launches on one stream. Nothing waits for the device but logits(), score() and read(), whose
// results the host wants; nothing is allocated once the largest step has been seen. What an op reads from the
// host (tokens, positions, block tables) goes to the device as small tables, of which the last ones stay: the
// layers of a step share them.
#pragma once

#include <list>
#include <set>

#include "kernels/backend.h"
#include "kernels/cuda/buffers.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/runtime.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Device memory that grows to the largest size asked for.
class Buffer {
  public:
    explicit Buffer(Runtime& runtime) : runtime_(runtime) {}
    template <typename T>
    T* take(std::int64_t n) {
        const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
        if (bytes > bytes_) {
            memory_ = nullptr;  // before the new one, to keep the peak low
            memory_ = runtime_.allocate(bytes);
            bytes_ = bytes;
        }
        return reinterpret_cast<T*>(memory_.get());
    }

  private:
    Runtime& runtime_;
    std::shared_ptr<std::byte> memory_;
    std::size_t bytes_ = 0;
};

/// Small arrays of the host's, on the device. One with the contents of one that is there already is not sent.
class Tables {
  public:
    explicit Tables(Runtime& runtime) : runtime_(runtime) {}
    /// Valid for the next kTables - 1 calls.
    template <typename T>
    const T* put(std::span<const T> values) {
        return reinterpret_cast<const T*>(put_bytes(std::as_bytes(values)));
    }

  private:
    struct Table {
        std::vector<std::byte> contents;
        Buffer memory;
    };
    const std::byte* put_bytes(std::span<const std::byte> bytes);

    Runtime& runtime_;
    std::list<Table> tables_;  // the last used first
};

class CudaBackend final : public Backend {
  public:
    CudaBackend(std::unique_ptr<Runtime> runtime, Precision precision);

    std::string name() const override { return "cuda"; }
    std::string description() const override { return runtime_->description(); }
    int threads() const override { return 1; }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override { return runtime_->allocate(bytes); }
    void write(void* to, const void* from, std::size_t bytes) override { runtime_->upload(to, from, bytes); }
    void read(void* to, const void* from, std::size_t bytes) override { runtime_->download(to, from, bytes); }
    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override;
    Products products(const Matrix& w, Phase phase) const override;
    std::vector<std::string> notes() const override;

    void embed(const EmbedArgs& args) override;
    void norm(const NormArgs& args) override;
    void linear(const LinearArgs& args) override;
    void glu(const GluArgs& args) override;
    void qkv(const QkvArgs& args) override;
    void attend(const AttendArgs& args) override;
    void logits(const LogitsArgs& args) override;
    void score(const ScoreArgs& args) override;
    void copy_kv(const CopyKvArgs& args) override;

  private:
    /// Rows of a matrix that lie in one strip, and how many of the asked ones come before them.
    struct Piece {
        WeightRows rows;
        std::int64_t before;
    };
    static std::vector<Piece> pieces(const Matrix& w, std::int64_t first, std::int64_t rows);
    void embed_table(const Matrix& table, std::span<const std::int32_t> tokens, float scale, bool add,
                     float* out);
    /// What is exact has one order of sums for both phases, that of the tiles.
    bool by_tiles(Phase phase) const { return phase == Phase::prompt || precision_ == Precision::exact; }
    /// What tiles of these weights want of x.
    Rounded rounded_by_tiles(const WeightRows& w) const;
    /// epilogue(w norm(x)) for n rows of x, by the kernels of a phase.
    void multiply(const Matrix& w, std::int64_t n, const float* x, const Norm& norm, const Epilogue& epilogue,
                  Phase phase);
    const float* normed(std::int64_t n, std::int64_t dim, const float* x, const std::int32_t* rows,
                        const Norm& norm);
    /// Logits of some of the asked rows, (rows, vocab) on the device.
    float* head_rows(const float* x, std::span<const std::int32_t> rows, const Norm& norm, const Matrix& head,
                     const float* bias, float scale, Phase phase);
    static std::size_t rows_of_logits(const Matrix& head);
    /// The layer's cache for rows of `segments`; their elements of `places` are filled.
    KvParams kv_params(const KvLayer& kv, std::span<const Segment> segments, std::int32_t window,
                       std::span<RowPlace> places);

    std::unique_ptr<Runtime> runtime_;
    Precision precision_;
    std::set<DType> recoded_;
    Tables tables_{*runtime_};
    Buffer normed_{*runtime_}, rounded_{*runtime_}, scales_{*runtime_}, products_{*runtime_},
        logits_{*runtime_}, parts_{*runtime_}, scores_{*runtime_};
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
