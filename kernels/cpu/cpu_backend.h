// The CPU backend: ops cut into chunks for the thread pool, chunks into calls of one instruction set's
// kernels. What may not go wrong: how work is cut must never change a result.
#pragma once

#include <optional>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/activations.h"
#include "kernels/cpu/caller_place.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/thread_pool.h"
#include "tinyllm/system.h"

namespace tinyllm::cpu {

class CpuBackend final : public Backend {
  public:
    explicit CpuBackend(const BackendOptions& options);
    /// With kernels of the caller's instead of options.isa's; `table` outlives the backend.
    CpuBackend(const BackendOptions& options, const KernelTable& table);

    std::string name() const override { return "cpu"; }
    std::string description() const override;
    int threads() const override { return pool_.threads(); }
    std::vector<int> cores() const override { return placement_.cores; }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override { return allocate_pages(bytes); }
    Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) override;

    std::string layout() const override;
    std::size_t strip_bytes(DType type, std::int64_t rows, std::int64_t cols) const override {
        return panels_bytes(type, rows, cols, table_.lanes);
    }

    Products products(const Matrix& w, Phase phase) const override;

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
    void begin_turn() noexcept override { caller_.emplace(caller_cores_); }
    void end_turn() noexcept override { caller_.reset(); }

    /// The product every matrix op shares: w times the normalised rows of x.
    struct Product {
        const Matrix* w = nullptr;
        std::int32_t n = 0;
        const float* x = nullptr;
        const std::int32_t* row_index = nullptr;  // rows of x, or null: 0..n-1
        Norm norm;
        std::int64_t rows = 0;    // of w to cut into chunks
        std::int64_t second = 0;  // > 0: each chunk also holds the rows that lie this much further down (glu)
        std::int64_t chunk_unit = 1;  // chunks are multiples of this many rows
        std::int64_t chunk_rows = 0;  // 0: whatever suits the machine
        Phase phase = Phase::decode;
    };
    /// What a chunk hands to its op's last step: y[i] is row `first_row` of w on token `token + i`.
    struct Chunk {
        std::int64_t first_row, n_rows;
        std::int32_t token, n_tokens;
        const float* y;       // (n_tokens, ld)
        const float* second;  // likewise, of the rows further down
        std::int64_t ld;
    };
    struct PerThread {
        Scratch activations, rows, unpacked, y, attention;
        std::uint64_t prepared_for = 0;  // the op whose activations it holds
    };

    template <typename Finish>
    void multiply(const Product& product, const Finish& finish);
    /// The tiles [first, last) of an op's activations, and where a product with them goes.
    struct Block {
        const Activations* x;
        std::byte* memory;
        std::size_t first, last;
        float* out;
        std::int64_t ld;
        PerThread* thread;
        /// Not null: panels turned into f32 stay for the task's other blocks, the next ones at *kept. Every
        /// block comes upon them in the same order; the first one turns them.
        float** kept = nullptr;
        bool is_first = true;
    };
    void multiply_rows(const Matrix& w, std::int64_t begin, std::int64_t end, const Block& block) const;
    void multiply_panels(const Panels& panels, std::int64_t first, std::int64_t last, const Block& block,
                         float* out) const;
    void multiply_pairs(const Panels& panels, std::int64_t first, std::int64_t last, const Block& block,
                        float* out) const;
    std::int64_t choose_chunk(const Product& product, std::size_t n_tiles) const;
    /// Floats of what a chunk's panels become as f32; 0 where none do or they are too many to be kept.
    std::int64_t kept_floats(const Product& product, const Forms& forms, std::int64_t chunk_rows) const;

    struct RowAttention;
    void attend_rows(const AttendArgs& args, std::span<const Segment> segments);
    void attend_row_part(const AttendArgs& args, const RowAttention& task, const RowAttention* next,
                         PerThread& thread) const;
    void attend_columns(const AttendArgs& args, const Segment& segment, std::int32_t kv_head,
                        std::int32_t first_row, std::int32_t n_rows, PerThread& thread) const;

    const KernelTable& table_;
    Precision precision_;
    Placement placement_;
    std::vector<int> caller_cores_;
    std::optional<CallerPlace> caller_;
    ThreadPool pool_;
    std::vector<PerThread> per_thread_;
    Scratch shared_;
    Arena weights_;
    std::uint64_t op_ = 0;
};

/// Where row `position` of one head lies in the cache.
std::byte* cache_row(std::byte* const* blocks, DType type, const KvLayer& kv, const Segment& segment,
                     std::int64_t position, std::int64_t head);

}  // namespace tinyllm::cpu
