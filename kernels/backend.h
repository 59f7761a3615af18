// The operations a device offers to a model: about a dozen coarse, fused ops, each with one plain args
// struct.
//
// Shapes stand behind the pointers: x is (n, dim) means n rows of dim contiguous f32. Every pointer is memory
// of the backend (Backend::allocate) unless it says "host". An op may be called only while Backend::mutex()
// is held: scratch memory and threads belong to the backend. kernels/ref is the specification of each op;
// every other backend is tested against it.
//
// Determinism, for every backend: an output element depends on its own inputs, the precision and the phase
// only, never on the number of threads or on how many rows or segments share the call. The one exception is a
// GPU whose user asks for cuBLASLt (adr/0011).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "tinyllm/dtype.h"
#include "tinyllm/profile.h"

namespace tinyllm {

// ----------------------------------------------------------------------------------------------------------------
// weights

/// A weight matrix as a file stores it, before packing. y = W x, so a row is an output.
struct RawMatrix {
    DType type = DType::f32;
    std::int64_t rows = 0;            // outputs, after row_order
    std::int64_t cols = 0;            // inputs
    const std::byte* data = nullptr;  // host; row-major blocks of `type`
    /// Stored as (cols, rows), the Conv1D orientation of GPT-2; plain types only.
    bool transposed = false;
    /// If not empty: packed row r is stored row row_order[r] (stored output r when transposed). Serves rope
    /// layouts and interleaved q/k/v.
    std::vector<std::int32_t> row_order{};
    /// Outputs the file's matrix has, where row_order picks some of them; 0: `rows`. Needed when transposed.
    std::int64_t stored_rows = 0;
};

/// Rows of one type inside a packed matrix.
struct Strip {
    DType type = DType::f32;  // the packed one
    std::int64_t rows = 0;
    const std::byte* data = nullptr;  // in the backend's own layout
};

/// All bytes that stand behind raw.data.
inline std::span<const std::byte> stored_bytes(const RawMatrix& raw) {
    const std::int64_t rows = raw.stored_rows ? raw.stored_rows : raw.rows;
    return {raw.data, static_cast<std::size_t>(rows) * row_bytes(raw.type, raw.cols)};
}

/// A packed weight: one or more matrices of equal cols, stacked. Copies share the memory.
struct Matrix {
    std::int64_t rows = 0;  // of all strips
    std::int64_t cols = 0;
    std::vector<Strip> strips;
    std::size_t bytes = 0;  // of the packed form
    std::shared_ptr<const void> memory;
    // For who takes note of ops: GGUF's names of the parts without ".weight", joined by '+', '#' for the
    // layer.
    std::string name{};
    std::int64_t layer = -1;  // -1: of none
    explicit operator bool() const { return rows > 0; }
};

// -------------------------------------------------------------------------------------------------------
// small descriptions

enum class NormKind { none, layer, rms };

/// layer: (x - mean) / sqrt(var + eps) * weight + bias;  rms: x / sqrt(mean(x^2) + eps) * weight.
struct Norm {
    NormKind kind = NormKind::none;
    float eps = 0;
    const float* weight = nullptr;  // (dim)
    const float* bias = nullptr;    // (dim) or null
};

enum class Activation {
    none,
    relu,
    silu,
    gelu,       // x/2 (1 + erf(x / sqrt 2))
    gelu_tanh,  // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    relu_squared,
};

/// What the rows of a call are: text that is read, or one token a sequence that was just made. In
/// Precision::fast a backend may use another arithmetic for each, so a result depends on what a row is, but
/// not on how many share the call.
enum class Phase { prompt, decode };

/// Rotation of the first `dims` elements of each head; element i pairs with i + dims/2.
struct Rope {
    std::int32_t dims = 0;  // 0: none
    /// (n_positions, dims/2) each; the table must cover every position asked for.
    const float* cos = nullptr;
    const float* sin = nullptr;
};

/// Positions per block of the KV cache; a multiple of every backend's attention step.
constexpr std::int32_t kKvBlock = 64;

/// The KV cache of one layer: blocks of kKvBlock positions, shared by all sequences.
/// Within a block: (n_kv_heads, kKvBlock, head_dim) rows of `type`, k and v apart.
struct KvLayer {
    DType k_type = DType::f16;
    DType v_type = DType::f16;
    std::int32_t n_kv_heads = 0;
    std::int32_t head_dim = 0;
    std::byte* const* k_blocks = nullptr;  // host array: block id -> memory of the block's k
    std::byte* const* v_blocks = nullptr;
};

/// Consecutive rows of a batch that belong to one sequence and stand at consecutive positions.
struct Segment {
    std::int32_t first_row = 0;
    std::int32_t n_rows = 0;
    std::int32_t start = 0;                // position of the first row
    const std::int32_t* blocks = nullptr;  // host; block id of positions [i * kKvBlock, (i + 1) * kKvBlock)
    /// Positions that every row of an encoder or of cross attention sees; 0: each row sees those up to its
    /// own.
    std::int32_t n_keys = 0;
};

/// T5's bias by relative position: position j, seen from p, gets values[head][clamp(j - p, -span, span) +
/// span].
struct RelativeBias {
    std::int32_t span = 0;
    const float* values = nullptr;  // (n_heads, 2 span + 1); null: none
};

// --------------------------------------------------------------------------------------------------------------------
// ops

/// out[i] = table[tokens[i]] * scale + positions_table[positions[i]]
struct EmbedArgs {
    std::int32_t n = 0;
    const std::int32_t* tokens = nullptr;  // host (n); within the table
    const Matrix* table = nullptr;         // (vocab, dim)
    float scale = 1;
    const std::int32_t* positions = nullptr;  // host (n); null without position table
    const Matrix* position_table = nullptr;   // (n_positions, dim) or null
    float* out = nullptr;                     // (n, dim)
};

/// out = norm(x); out may be x
struct NormArgs {
    std::int32_t n = 0;
    std::int64_t dim = 0;
    const float* x = nullptr;
    Norm norm{};
    float* out = nullptr;
};

/// out = activation(w norm(x) + bias), or out += … with `accumulate` (the residual; x and out then differ)
struct LinearArgs {
    std::int32_t n = 0;
    const float* x = nullptr;  // (n, w.cols)
    Norm norm{};
    const Matrix* w = nullptr;
    const float* bias = nullptr;  // (w.rows) or null
    Activation activation = Activation::none;
    bool accumulate = false;
    float* out = nullptr;  // (n, w.rows)
    Phase phase = Phase::prompt;
};

/// out = activation(gate) * up, with gate = rows [0, ff) and up = rows [ff, 2 ff) of w norm(x) + bias
struct GluArgs {
    std::int32_t n = 0;
    const float* x = nullptr;  // (n, w.cols)
    Norm norm{};
    const Matrix* w = nullptr;    // (2 ff, dim): gate over up
    const float* bias = nullptr;  // (2 ff) or null
    Activation activation = Activation::silu;
    float* out = nullptr;  // (n, ff)
    Phase phase = Phase::prompt;
};

/// q, k, v = w norm(x) + bias, split by rows; q and k rotated; k and v stored in the cache at the rows'
/// positions; q to out. Without heads (n_heads 0, q null) k and v alone.
struct QkvArgs {
    std::int32_t n = 0;
    const float* x = nullptr;  // (n, w.cols)
    Norm norm{};
    const Matrix* w = nullptr;    // ((n_heads + 2 n_kv_heads) head_dim, dim): q over k over v
    const float* bias = nullptr;  // (w.rows) or null
    std::int32_t n_heads = 0;
    Rope rope{};
    KvLayer kv{};
    std::span<const Segment> segments{};  // cover the n rows
    float* q = nullptr;                   // (n, n_heads * head_dim)
    Phase phase = Phase::prompt;
};

/// out = softmax(q k^T scale + alibi + relative) v over the cached positions that each row may see: p -
/// window < j <= p, or all of [0, n_keys) where its segment says so
struct AttendArgs {
    std::int32_t n = 0;
    const float* q = nullptr;  // (n, n_heads * head_dim)
    std::int32_t n_heads = 0;
    float scale = 1;
    std::int32_t window = 0;       // 0: all earlier positions; not together with n_keys
    const float* alibi = nullptr;  // host (n_heads) slopes m: adds m * (j - p); null: none
    RelativeBias relative{};
    KvLayer kv{};
    std::span<const Segment> segments{};
    float* out = nullptr;  // (n, n_heads * head_dim)
    Phase phase = Phase::prompt;
};

/// logits[i] = head norm(x[rows[i]]) + bias
struct LogitsArgs {
    const float* x = nullptr;              // (…, head.cols)
    std::span<const std::int32_t> rows{};  // host
    Norm norm{};
    const Matrix* head = nullptr;  // (vocab, dim)
    const float* bias = nullptr;   // (vocab) or null
    float scale = 1;               // multiplies the logits
    float* logits = nullptr;       // host (rows.size(), vocab)
    Phase phase = Phase::prompt;
};

/// log softmax(logits)[target] per asked row of a prompt, and the row's best token; vocabulary-wide logits
/// are never stored.
struct ScoreArgs {
    const float* x = nullptr;                 // (…, head.cols)
    std::span<const std::int32_t> rows{};     // host
    std::span<const std::int32_t> targets{};  // host, one per row
    Norm norm{};
    const Matrix* head = nullptr;
    const float* bias = nullptr;
    float scale = 1;
    float* logprobs = nullptr;       // host (rows.size())
    std::int32_t* argmax = nullptr;  // host (rows.size()); the first of equals
};

/// Most candidates that top() gives.
constexpr std::int32_t kMostTop = 256;

/// The `k` largest logits of one row, in descending order, the first of equals first, what is no number last.
struct TopArgs {
    const float* x = nullptr;  // (head.cols)
    Norm norm{};
    const Matrix* head = nullptr;  // (vocab, dim)
    const float* bias = nullptr;   // (vocab) or null
    float scale = 1;               // multiplies the logits
    Phase phase = Phase::decode;
    /// Host; distinct tokens whose logits are first divided by `penalty` where positive, multiplied
    /// elsewhere.
    std::span<const std::int32_t> penalized{};
    float penalty = 1;
    std::int32_t k = 1;              // 1 to kMostTop, at most vocab
    std::int32_t* tokens = nullptr;  // host (k)
    float* values = nullptr;         // host (k): their logits
    float temperature = 1;
    /// Host: sum over the vocabulary of exp((logit - largest) / temperature); null: not asked for.
    double* total = nullptr;
    float* logits = nullptr;  // host (vocab); see top()
};

/// Copies the first `n_positions` of a cache block (a fork that will write into a shared block).
struct CopyKvArgs {
    KvLayer kv{};
    std::int32_t from = 0;  // block ids
    std::int32_t to = 0;
    std::int32_t n_positions = 0;
};

enum class Precision {
    fast,  // activations may be rounded: to 8 bits per block where weights are quantized, to bf16 (see Phase)
    exact,  // weights as stored, fp32 arithmetic, no approximated functions
};

struct BackendOptions {
    int threads = 0;         // as place_threads (tinyllm/system.h) takes them
    std::string cores = {};  // likewise
    Precision precision = Precision::fast;
    std::string isa;  // empty: TINYLLM_CPU_ISA, else the best this CPU runs
};

/// Looks on while rows are packed, so that one pass over a file's pages does for checking, packing and
/// dropping them.
class PackWatch {
  public:
    virtual ~PackWatch() = default;
    /// Whole stored blocks of a part, before they are packed; each once, from several threads. False ends
    /// packing.
    virtual bool accept(std::size_t part, std::span<const std::byte> stored) = 0;
    /// These stored bytes of a part are packed. From the caller's thread.
    virtual void done(std::size_t part, std::span<const std::byte> stored) = 0;
};

class Backend {
  public:
    virtual ~Backend() = default;

    virtual std::string name() const = 0;         // "cpu"
    virtual std::string description() const = 0;  // "avx512_vnni, 2 threads"
    virtual int threads() const = 0;
    /// Where they run; empty: anywhere.
    virtual std::vector<int> cores() const { return {}; }

    /// Zeroed memory that ops may read and write, 64-byte aligned. The host's own only where the backend is
    /// the CPU's: whatever is to work on every device goes through write() and read().
    virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
    /// `bytes` from the host's memory to the backend's; done for all ops behind it.
    virtual void write(void* to, const void* from, std::size_t bytes) {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }
    /// From the backend's memory to the host's, behind all ops called before; with no bytes, a wait for them.
    virtual void read(void* to, const void* from, std::size_t bytes) {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }

    /// Stacks `parts` (equal cols, each rows x cols) into the layout this backend computes with. What
    /// that is for a stored type says kernels/packed_type.h. `watch` may be null; an empty matrix if it did
    /// not accept a part. Bytes that are done may have to be read once more, but not behind the call.
    virtual Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) = 0;

    /// Names what pack() makes of a matrix: equal names mean equal bytes, on any machine. Empty: nothing that
    /// could be kept in a file.
    virtual std::string layout() const { return ""; }
    /// Bytes of a strip in that layout; 0 for a type that strips do not have. Rows and cols are below 2^30.
    virtual std::size_t strip_bytes(DType, std::int64_t /*rows*/, std::int64_t /*cols*/) const { return 0; }

    /// What a user should know of how the weights packed so far are held, one line each.
    virtual std::vector<std::string> notes() const { return {}; }

    /// What the products of most of w's rows with activations of this phase are made of.
    virtual Products products(const Matrix& /*w*/, Phase /*phase*/) const { return Products::f32; }

    virtual void embed(const EmbedArgs& args) = 0;
    virtual void norm(const NormArgs& args) = 0;
    virtual void linear(const LinearArgs& args) = 0;
    virtual void glu(const GluArgs& args) = 0;
    virtual void qkv(const QkvArgs& args) = 0;
    virtual void attend(const AttendArgs& args) = 0;
    virtual void logits(const LogitsArgs& args) = 0;
    virtual void score(const ScoreArgs& args) = 0;
    virtual void copy_kv(const CopyKvArgs& args) = 0;
    /// For drawing the next token without a vocabulary of logits on its way to the host. Where they are there
    /// anyway, they are left in args.logits, without penalty, and the result is true.
    virtual bool top(const TopArgs& args);

    /// Calls `ops`, which calls ops: one step of generation, that will come again much alike. A backend may
    /// put their work off until `ops` returns or wants a result, and does none of it after an exception.
    /// Within a step, step() only calls.
    virtual void step(const std::function<void()>& ops) { ops(); }

    /// One caller at a time; while it has its turn, its thread is one of the backend's.
    class Turns {
      public:
        explicit Turns(Backend& backend) : backend_(backend) {}
        void lock() {
            mutex_.lock();
            backend_.begin_turn();
        }
        void unlock() {
            backend_.end_turn();
            mutex_.unlock();
        }

      private:
        Backend& backend_;
        std::mutex mutex_;
    };

    /// Held by whoever calls ops.
    Turns& mutex() { return turns_; }

  private:
    virtual void begin_turn() noexcept {}
    virtual void end_turn() noexcept {}

    Turns turns_{*this};
};

/// The scalar specification: one thread, no fused shortcuts.
std::unique_ptr<Backend> make_ref_backend(const BackendOptions& options);

/// Own kernels per instruction set, own thread pool.
std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options);

/// Own kernels on the first CUDA device. Throws Error(device), saying why, without one that can be used.
std::unique_ptr<Backend> make_cuda_backend(const BackendOptions& options);

/// Whether this build has make_cuda_backend's kernels.
bool has_cuda_kernels();

}  // namespace tinyllm
