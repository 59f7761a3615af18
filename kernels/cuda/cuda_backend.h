// Args of ops to launches on one queue. Nothing waits for the device but logits(), score(), top() and read(),
// whose results the host wants; nothing is allocated once the largest step has been seen. What an op reads
// from the host (tokens, positions, block tables) goes to the device as small tables, which the layers of a
// step share, and which hold all that differs between one token and the next: then a step's launches are
// those of the step before, and the queue replays them.
#pragma once

#include <set>

#include "kernels/backend.h"
#include "kernels/cuda/buffers.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/launch_queue.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Device memory that grows to the largest size asked for.
class Buffer {
  public:
    explicit Buffer(LaunchQueue& queue) : queue_(queue) {}
    template <typename T>
    T* take(std::int64_t n) {
        const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
        if (bytes > bytes_) {
            memory_ = nullptr;  // before the new one, to keep the peak low
            memory_ = queue_.allocate(bytes);
            bytes_ = bytes;
        }
        return reinterpret_cast<T*>(memory_.get());
    }

  private:
    LaunchQueue& queue_;
    std::shared_ptr<std::byte> memory_;
    std::size_t bytes_ = 0;
};

class CudaBackend final : public Backend {
  public:
    CudaBackend(std::unique_ptr<Runtime> runtime, Precision precision);

    /// As cublaslt_choice() of kernels/cuda_memory.h has it. Prompts with F16, BF16 and F32 weights go to the
    /// library from then on if it can be used and agrees with the own kernels; if not, notes() say why. Not
    /// with Precision::exact.
    void use_cublaslt(const std::string& choice);

    std::string name() const override { return "cuda"; }
    std::string description() const override;
    int threads() const override { return 1; }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override { return queue_.allocate(bytes); }
    void write(void* to, const void* from, std::size_t bytes) override { queue_.upload(to, from, bytes); }
    void read(void* to, const void* from, std::size_t bytes) override { queue_.download(to, from, bytes); }
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
    bool top(const TopArgs& args) override;
    void step(const std::function<void()>& ops) override { queue_.step(ops); }

  private:
    /// Rows of a matrix that lie in one strip, and how many of the asked ones come before them.
    struct Piece {
        WeightRows rows;
        std::int64_t before;
    };
    static std::vector<Piece> pieces(const Matrix& w, std::int64_t first, std::int64_t rows);
    void embed_table(const Matrix& table, TableKind kind, std::span<const std::int32_t> rows, float scale,
                     bool add, float* out);
    /// What is exact has one order of sums for both phases, that of the tiles.
    bool by_tiles(Phase phase) const { return phase == Phase::prompt || precision_ == Precision::exact; }
    /// What tiles of these weights want of x.
    Rounded rounded_by_tiles(const WeightRows& w) const;
    /// epilogue(w norm(x)) for n rows of x, by the kernels of a phase.
    void multiply(const Matrix& w, std::int64_t n, const float* x, const Norm& norm, const Epilogue& epilogue,
                  Phase phase);
    /// Few rows, whose kernel is chosen here.
    void launch_rows(MatvecParams p);
    /// The first rows of a product that the library takes, none or all but where it fails in between.
    std::int64_t by_library(const GemmParams& p);
    const float* normed(std::int64_t n, std::int64_t dim, const float* x, const std::int32_t* rows,
                        const Norm& norm);
    /// Logits of some of the asked rows, (rows, vocab) on the device.
    float* head_rows(const float* x, std::span<const std::int32_t> rows, const Norm& norm, const Matrix& head,
                     const float* bias, float scale, Phase phase);
    static std::size_t rows_of_logits(const Matrix& head);
    /// The layer's cache for rows of `segments`; their elements of `places` are filled.
    KvParams kv_params(const KvLayer& kv, std::span<const Segment> segments, std::int32_t window,
                       std::span<RowPlace> places);

    LaunchQueue queue_;
    Precision precision_;
    std::set<DType> recoded_;
    std::unique_ptr<CublasLt> library_;
    std::string library_note_;
    Buffer normed_{queue_}, rounded_{queue_}, scales_{queue_}, products_{queue_}, logits_{queue_};
    Buffer unfinished_{queue_};
    Buffer parts_{queue_}, scores_{queue_}, candidates_{queue_}, slices_{queue_}, top_{queue_};
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
