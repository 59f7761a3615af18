// What the host asks of the device: one function per kernel, with plain arguments. C++14, since the device's
// compiler reads it. Every pointer is the device's memory. `stream` is a Stream (stream.h); each function
// queues and returns. Comments on shapes and meanings: kernels/backend.h.
//
// Launches are compared byte by byte to find out whether a step repeats an earlier one, so arguments have no
// padding, whose bytes nobody sets; and what differs from one token to the next (positions, lengths, where
// blocks lie) is not an argument but stands in the device's memory.
#pragma once

#include "kernels/cuda/layout.h"

#if defined(__GNUC__) && !defined(__CUDACC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#endif

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

// As NormKind and Activation are numbered; cuda_backend.cpp holds them to it.
enum NormCode : int { kNormNone, kNormLayer, kNormRms };
enum ActivationCode : int { kNone, kRelu, kSilu, kGelu, kGeluTanh, kReluSquared };

struct NormParams {
    int kind = kNormNone;
    float eps = 0;
    const float* weight = nullptr;
    const float* bias = nullptr;
};

/// Rows of a strip: `rows` from `first` on, of a strip of strip_rows in the layout of layout.h.
struct WeightRows {
    int64_t type = kF32;
    const unsigned char* data = nullptr;
    int64_t strip_rows = 0, cols = 0;
    int64_t first = 0, rows = 0;
};

/// What becomes of a product y: out[i * out_stride + r] = activation(y + bias[r]) * scale, or += that.
struct Epilogue {
    const float* bias = nullptr;
    int64_t activation = kNone;
    int accumulate = 0;
    float scale = 1;
    float* out = nullptr;
    int64_t out_stride = 0;
};

/// out[i] += …, or out[i] = table[tokens[i]] * scale: for the tokens among the strip's, which begin at
/// `offset`.
struct EmbedParams {
    int64_t n = 0;
    const int32_t* tokens = nullptr;
    WeightRows table{};
    int64_t offset = 0;
    float scale = 1;
    int add = 0;
    float* out = nullptr;
};
void launch_embed(void* stream, const EmbedParams& p);

/// out[i] = norm(x[rows[i]]), rows null: x[i]. In place where rows is null.
struct NormRowsParams {
    int64_t n = 0;
    int64_t dim = 0;
    const float* x = nullptr;
    const int32_t* rows = nullptr;
    NormParams norm{};
    float* out = nullptr;
};
void launch_norm(void* stream, const NormRowsParams& p);

/// Up to kMatvecRows rows of x times the strip, the norm as a prologue. With `up` (as many rows, of the same
/// type): out = activation(w x + bias) * (up x + up_bias), one product, one launch.
constexpr int kMatvecRows = 8;
/// What the rows of x are multiplied as: floats; signed bytes, 32 of them with a scale; or halves likewise.
enum class MatvecBy : int64_t { floats, bytes, halves };
/// In code for a compute capability, times ten.
TINYLLM_BOTH MatvecBy matvec_by(int type, int capability) {
    if (type == kF32 || type == kBf16) return MatvecBy::floats;
    return type == kF16 || capability < kByteDot ? MatvecBy::halves : MatvecBy::bytes;
}
struct MatvecParams {
    int n = 0;
    int blocks = 0;                  // at most so many
    MatvecBy by = MatvecBy::floats;  // matvec_by()
    const float* x = nullptr;        // (n, cols)
    NormParams norm{};
    WeightRows w{};
    WeightRows up{};  // no data: none
    const float* up_bias = nullptr;
    Epilogue epilogue{};
};
void launch_matvec(void* stream, const MatvecParams& p);

/// How tensor cores take the rows that are multiplied by weights of a type; none: they do not.
enum class Rounded : int { none, halves, bf16 };
constexpr int64_t kTileColumns = int64_t{1} << 22;  // at most
/// In code for a compute capability, times ten. F32 weights keep their bits.
TINYLLM_BOTH Rounded rounded_for(int type, int64_t cols, int capability) {
    if (type == kF32 || cols > kTileColumns || capability < kHalfMma) return Rounded::none;
    if (type == kBf16) return capability < kBf16Mma ? Rounded::none : Rounded::bf16;
    return Rounded::halves;
}

constexpr int kRoundedColumns = 32;
/// Elements of a rounded row: zeros behind its columns.
TINYLLM_BOTH int64_t rounded_pitch(int64_t cols) {
    return (cols + kRoundedColumns - 1) / kRoundedColumns * kRoundedColumns;
}

/// out[i] = norm(x[i]) / scales[i] in 16 bits an element.
struct RoundRowsParams {
    int n = 0;
    Rounded to = Rounded::halves;
    int64_t cols = 0;
    const float* x = nullptr;
    NormParams norm{};
    uint32_t* out = nullptr;  // (n, rounded_pitch(cols) / 2)
    float* scales = nullptr;  // (n)
};
void launch_round_rows(void* stream, const RoundRowsParams& p);

/// Any number of rows, already normed, by tiles: on tensor cores where they are rounded, else in f32.
struct GemmParams {
    int n = 0;
    int multiprocessors = 1;            // that the tiles are to fill
    const float* x = nullptr;           // (n, cols)
    const uint32_t* rounded = nullptr;  // as rounded_for() asks and launch_round_rows() gives; null: none
    const float* scales = nullptr;
    WeightRows w{};
    Epilogue epilogue{};
};
void launch_gemm(void* stream, const GemmParams& p);
/// The compute capability, times ten, that the code was compiled for which the current device runs.
int code_capability();

/// The epilogue of products (n, rows) that are there already, each row times its scale.
struct FinishParams {
    int64_t n = 0, rows = 0;
    const float* products = nullptr;
    const float* scales = nullptr;  // (n); null: ones
    Epilogue epilogue{};
};
void launch_finish(void* stream, const FinishParams& p);

/// out[i][r] = activation(both[i][r]) * both[i][ff + r]
struct GluParams {
    int n = 0;
    int activation = kNone;
    int64_t ff = 0;
    const float* both = nullptr;
    float* out = nullptr;
};
void launch_glu(void* stream, const GluParams& p);

/// Where a row's sequence stands: its position, the keys it sees, [begin, end), and where in the table of
/// blocks its sequence's begin. A row of no sequence has no keys.
struct RowPlace {
    int32_t position = 0, begin = 0, end = 0, table = 0;
};

constexpr int kKvPositions = 64;  // of a cache block; cuda_backend.cpp holds it to kKvBlock

/// A layer's cache: block b of a sequence lies at base + offsets[table + b]. `base` is the cache's, not a
/// sequence's.
struct CacheParams {
    int64_t type = kF16;
    unsigned char* base = nullptr;
    const int64_t* offsets = nullptr;
};

struct KvParams {
    CacheParams k{}, v{};
    int n_kv_heads = 0, head_dim = 0;
    int64_t k_row_bytes = 0, v_row_bytes = 0;
};

/// Rotates q and k, writes q to `q`, k and v to the cache.
struct RopeStoreParams {
    int64_t n = 0;
    const float* qkv = nullptr;  // (n, (n_heads + 2 n_kv_heads) head_dim)
    int n_heads = 0;
    int rope_dims = 0;
    const float* cos = nullptr;
    const float* sin = nullptr;
    KvParams kv{};
    const RowPlace* places = nullptr;  // (n)
    float* q = nullptr;
};
void launch_rope_store(void* stream, const RopeStoreParams& p);

/// Consecutive rows of one sequence whose queries a block takes together.
struct QueryTile {
    int32_t first_row, n_rows;
};

constexpr int kMaxHeadDim = 256;
constexpr int kSplitKeys = 256;  // keys per block of a split

struct AttendParams {
    int tiles = 0;
    int heads_per_tile = 0;  // of one group
    const QueryTile* tile = nullptr;
    const RowPlace* places = nullptr;
    const float* q = nullptr;
    int64_t n = 0;
    int n_heads = 0;
    float scale = 1;
    const float* slopes = nullptr;
    const float* relative = nullptr;
    int span = 0;
    /// More than one: keys are dealt to blocks by kSplitKeys, parts gets (splits, n, n_heads, head_dim + 2)
    /// and a second kernel adds them up. A split may have no keys.
    int splits = 1;
    KvParams kv{};
    float* out = nullptr;
    float* parts = nullptr;
};
/// The queries a tile may have, for heads of `head_dim`.
TINYLLM_BOTH int tile_queries(int head_dim) {
    return head_dim > 128 ? 8 : 16;
}
void launch_attend(void* stream, const AttendParams& p);

/// logprobs[i] = log softmax(logits[i])[targets[i]], argmax[i] the first of the largest.
struct ScoreParams {
    int64_t n = 0;
    int64_t vocab = 0;
    const float* logits = nullptr;
    const int32_t* targets = nullptr;
    float* logprobs = nullptr;
    int32_t* argmax = nullptr;
};
void launch_score(void* stream, const ScoreParams& p);

/// The first `bytes` of each of `heads` stretches that lie `stride` apart; even numbers.
struct CopyParams {
    const unsigned char* from = nullptr;
    unsigned char* to = nullptr;
    int64_t heads = 0;
    int64_t stride = 0, bytes = 0;
};
void launch_copy(void* stream, const CopyParams& p);

/// logits[tokens[i]] /= penalty where it is positive, *= penalty elsewhere; distinct tokens, -1: none.
struct PenalizeParams {
    const int32_t* tokens = nullptr;  // (n)
    float* logits = nullptr;
    int n = 0;
    float penalty = 1;
};
void launch_penalize(void* stream, const PenalizeParams& p);

/// A candidate is 64 bits, the larger the better: the bits of its logit in an order of integers above those
/// of its token, inverted, so that the first of equals is the larger. 0: none.
/// Slices of kTopSlice elements, (n), give their k best each, (slices, k), in descending order.
constexpr int kTopSlice = 2048;
struct TopParams {
    int64_t n = 0;
    const float* logits = nullptr;         // of the first round
    const uint64_t* candidates = nullptr;  // of a later one; then no logits
    uint64_t* best = nullptr;
    double* sums = nullptr;  // (slices, 2), null: not asked for: the largest logit x and the sum of
    int k = 1;               // exp((logit - x) * steepness)
    float steepness = 1;
};
void launch_top(void* stream, const TopParams& p);

/// total = sum over the slices' sums of exp((logit - largest) * steepness).
struct TopTotalParams {
    int64_t slices = 0;
    const double* sums = nullptr;
    const uint64_t* largest = nullptr;  // a candidate
    double* total = nullptr;
    double steepness = 1;
};
void launch_top_total(void* stream, const TopTotalParams& p);

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm

#if defined(__GNUC__) && !defined(__CUDACC__)
#pragma GCC diagnostic pop
#endif
