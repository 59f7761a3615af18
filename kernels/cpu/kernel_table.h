// What one instruction set offers: a plain struct of functions that know nothing of threads, allocation or
// models. Included by kernel sources, so it includes no header with inline functions (see kernels.cpp).
#pragma once

#include <stdint.h>

namespace tinyllm::cpu {

// The same numbers as tinyllm::DType, NormKind and Activation; asserted in cpu_backend.cpp.
enum Type : int {
    kF32 = 0,
    kF16 = 1,
    kQ4_0 = 2,
    kQ4_1 = 3,
    kQ5_0 = 6,
    kQ5_1 = 7,
    kQ8_0 = 8,
    kQ6_K = 14,
    kIQ4_NL = 20,
    kBF16 = 30,
    kT3_64 = 7403,
    kT4_64 = 7404
};
enum NormType : int { kNoNorm, kLayerNorm, kRmsNorm };
enum ActivationType : int { kNone, kRelu, kSilu, kGelu, kGeluTanh, kReluSquared };

constexpr int kBlock = 32;                  // elements per quantized block
constexpr int kKvStep = 64;                 // cache positions per attention step
constexpr int kRowPositions = 2 * kKvStep;  // most that attend_row takes
constexpr int kMaxTiles = 5;
constexpr float kLog2E = 1.44269504f;
constexpr int kMostQueries = 48;  // that attend_step takes at a time

/// Panels: `lanes` rows interleaved so that one vector holds one element (plain types) or four bytes
/// (quantized) of each row.
///   f32, f16, bf16:  [k][lane]
///   quantized:       f16 scales [block][n][lane], padded to 64 bytes, then the bytes of the elements
///                    [block][m][lane][4]; isa/forms.h says what they are for each type. (q6_k here is 16
///                    elements to a scale, the product of the file's two.)
/// The last panel is padded with zero rows. A panel starts at a multiple of 64 bytes.
struct Panels {
    int type;
    const uint8_t* data;
    int64_t stride;  // bytes from panel to panel
    int64_t cols;
};

/// Activations of one tile of tokens as int8: [block][tile][32] with values per (block, tile). (As f32 they
/// are [k][tile].)
struct IntTile {
    int8_t* q;
    float* scales;  // where KernelTable::scale_copies is 2, {a, b, a, b} of each two tokens of an even tile
    float* sums;    // scale times the sum of the block's q; likewise
    int32_t* offsets_q8;  // what a sum begins at (0, or see isa/forms.h) - q8_offset times that sum: takes
                          // the weights' offset out of a dot product
    int32_t* offsets_q4;  // -8 times the sum
    int32_t* offsets_q5;  // -16 times
    int32_t* offsets_q6;  // [2]: -32 times the sum of each half of the block
};

struct AttendTile;
struct AttendRow;

constexpr int kPairStep = 32;  // k of one step of the products of pairs: a row of a matrix unit's tile

/// Elements of a row of activations, or of one lane of a panel, as pairs: cols rounded up to whole steps.
constexpr int64_t pair_cols(int64_t cols) {
    return (cols + kPairStep - 1) / kPairStep * kPairStep;
}

constexpr int kPairQueries = 32;  // that attention takes at a time
constexpr int kAttendTerms = 3;   // of its products: scores are differences of large sums

/// Numbers that stand for one value.
constexpr int pair_parts(int terms) {
    return terms == 1 ? 1 : 2;
}

/// Products of bf16 pairs summed in f32, for the many rows of a prompt. With one term both operands are
/// rounded to bf16 (8 bits); with three each is two numbers, what rounding left being the second, and the
/// three largest of the four products are added, which leaves about 16 bits.
///   activations: [step][width][32], and behind them, with three terms, what rounding left
///   weights:     panels [k / 2][lane][2], likewise
struct PairKernels {
    int tiles[kMaxTiles];  // as KernelTable::tiles
    int q8_offset;         // of the panels they read: that of their KernelTable
    /// Terms that weights of a type are computed with; 0: pairs gain nothing.
    int (*terms)(int type);
    /// `rows` rows of x; those from `rows` to `width` are zeroed.
    void (*fill)(const float* x, int64_t stride, int rows, int width, int64_t cols, int terms, uint16_t* out);
    /// One panel.
    void (*unpack)(const Panels* w, int64_t panel, int terms, uint16_t* out);
    /// out[t * ld + p * lanes + lane] for all `width` columns of `n_panels` panels, one behind the other.
    void (*product)(const uint16_t* w, int n_panels, const uint16_t* x, int width, int64_t cols, int terms,
                    float* out, int64_t ld);
    /// KernelTable::attend_step with queries as pairs of kAttendTerms; null: none.
    void (*attend_step)(const AttendTile* tile);
};

struct KernelTable {
    const char* name;
    int lanes;
    int q8_offset;             // added to the bytes of q8_0: 128 where the dot product is unsigned x signed
    bool signed_nibbles;       // those of q4_0, whose top bit is flipped for it
    int scale_copies;          // see IntTile
    int tiles[kMaxTiles];      // token counts of the tile kernels, ascending, the last is the largest
    const PairKernels* pairs;  // null: none

    void (*norm_row)(int kind, float eps, const float* weight, const float* bias, const float* x, int64_t dim,
                     float* out);
    /// `rows` rows of x into column `column...` of an f32 tile; columns rows..tile-1 are zeroed.
    void (*fill_tile)(const float* x, int64_t stride, int rows, int tile, int64_t cols, float* out);
    /// One row into column `column` of an int8 tile; x null: zeros.
    void (*fill_int_tile)(const float* x, int column, int tile, int64_t cols, IntTile out);

    /// out[t * ld + p * lanes + lane] = sum over k of w x, for all `tile` columns. Plain types only.
    void (*float_tile)(const Panels* w, int64_t first_panel, int n_panels, const float* x, int tile,
                       float* out, int64_t ld);
    /// The same with int8 activations and quantized weights.
    void (*int_tile)(const Panels* w, int64_t first_panel, int n_panels, IntTile x, int tile, float* out,
                     int64_t ld);
    /// One panel as f32 [k][lane].
    void (*unpack_panel)(const Panels* w, int64_t panel, float* out);

    /// out[i] = act(y[i] + bias[i]) (+ out[i] with accumulate); bias may be null
    void (*finish_linear)(const float* y, const float* bias, int activation, int accumulate, int64_t n,
                          float* out);
    /// out[i] = act(gate[i] + gate_bias[i]) * (up[i] + up_bias[i]); both biases or none
    void (*finish_glu)(const float* gate, const float* up, const float* gate_bias, const float* up_bias,
                       int activation, int64_t n, float* out);
    /// out[i] = (y[i] + bias[i]) * scale
    void (*finish_logits)(const float* y, const float* bias, float scale, int64_t n, float* out);
    /// Largest value, its first index, and the sum of exp(y - largest).
    void (*softmax_partial)(const float* y, int64_t n, float* top, int64_t* index, double* sum);
    /// Rotates one head in place.
    void (*rotate)(float* head, int dims, const float* cos, const float* sin);

    void (*load_row)(int type, const uint8_t* from, float* to, int64_t n);
    void (*store_row_f16)(const float* from, uint16_t* to, int64_t n);

    /// One attention step over up to kKvStep cached positions; see attention.h.
    void (*attend_step)(const AttendTile* tile);
    /// One position's heads of one group and a few blocks; cheaper, summed in another order. See
    /// attention_row.h.
    void (*attend_row)(const AttendRow* row);
};

/// Online softmax of `columns` queries against the keys and values [0, n_positions) of one cache block of one
/// kv head.
struct AttendTile {
    int head_dim;
    int n_positions;  // of the block that lie in the sequence, 1..kKvStep
    int columns;      // queries; what is kept for each is padded to whole vectors of them
    int k_type, v_type;
    const uint8_t* k;  // (n_positions, head_dim)
    const uint8_t* v;
    const float* q;           // panels of lanes queries (head_dim, lanes), scaled and times kLog2E
    const uint16_t* q_pairs;  // the same for PairKernels::attend_step
    const int32_t* first;  // (columns) positions [first, last) of the block that the query sees; may be empty
    const int32_t* last;
    const float* alibi;     // (columns) slope, or null
    const float* relative;  // (group, 2 span + 1) bias by distance, row c % group for column c; or null
    int group, span;        // of relative
    const int32_t* origin;  // (columns) position of the query, relative to the block's first
    float* out;             // (columns, ld) running mix, not yet divided by sum
    int64_t ld;             // head_dim rounded up to lanes
    float* top;             // (columns) running maximum
    float* sum;             // (columns) running sum
    float* scratch;         // attend_scratch floats
};

/// Softmax of one position's heads, `columns` of them, against positions [first, last) of a few blocks of one
/// kv head, counted from the first block's first.
struct AttendRow {
    int head_dim;
    int columns;
    int k_type, v_type;
    const uint8_t* const* k;  // blocks of (kKvStep, head_dim)
    const uint8_t* const* v;
    const uint8_t* const* k_next;  // the keys that are read behind these, to be asked for; null where none
    const float* q;                // (columns, ld), scaled, zero beyond head_dim
    int first, last;               // 0 <= first < last <= kRowPositions
    int origin;                    // the query's position, counted likewise
    const float* alibi;            // (columns) slopes, or null
    const float* relative;         // (columns, 2 span + 1) bias by distance, or null
    int span;
    float* out;      // (columns, ld) what the mix is added to, not yet divided by sum
    int64_t ld;      // head_dim rounded up to lanes
    float* top;      // (columns) largest score
    float* sum;      // (columns) of exp(score - top)
    float* scratch;  // attend_row_scratch floats
};

/// Floats of scratch an attention step needs.
constexpr int64_t attend_scratch(int64_t padded_head_dim) {
    return kKvStep * (2 * padded_head_dim + 64 + kMostQueries);
}
constexpr int64_t attend_row_scratch(int64_t padded_head_dim, int columns) {
    return kKvStep * padded_head_dim + columns * kRowPositions;
}
constexpr int64_t attend_pairs_scratch(int64_t padded_head_dim) {
    return kKvStep * (pair_cols(padded_head_dim) + padded_head_dim) + 2 * kPairQueries * kKvStep +
           kPairQueries * (pair_cols(padded_head_dim) + kPairStep);
}

}  // namespace tinyllm::cpu
