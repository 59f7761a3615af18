// Sizes of the backend's buffers, for the backend and for who wants to know them before (memory.cpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/launch.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// Rows whose logits are made at a time.
inline std::int64_t logits_rows(std::int64_t vocab) {
    constexpr std::int64_t kFloats = std::int64_t{8} << 20;
    return std::clamp<std::int64_t>(kFloats / vocab, 1, 64);
}

/// Blocks that the keys of a generated token are dealt to: a power of two, so that the same launches serve
/// until the longest text has doubled.
inline std::int32_t key_splits(std::int64_t keys) {
    const std::int64_t splits = std::max<std::int64_t>(1, (keys + kSplitKeys - 1) / kSplitKeys);
    return static_cast<std::int32_t>(std::bit_ceil(static_cast<std::uint64_t>(splits)));
}

/// What they hand over, for n rows.
inline std::int64_t split_floats(std::int64_t splits, std::int64_t n, std::int64_t heads,
                                 std::int64_t head_dim) {
    return splits * n * heads * (head_dim + 2);
}

/// Small arrays of the host's that the device keeps for ops outside of steps.
constexpr int kTables = 32;

/// Memory of one: a size that neighbouring steps share.
inline std::int64_t table_bytes(std::int64_t bytes) {
    return (bytes + 4095) / 4096 * 4096;
}

/// What the host gives to the kernels of a step of generation, all layers together: in pieces of this size.
constexpr std::size_t kStepTables = std::size_t{64} << 10;

/// Slices of a row of n values, of which the k largest are taken first.
inline std::int64_t top_slices(std::int64_t n) {
    return (n + kTopSlice - 1) / kTopSlice;
}
/// The slices' k largest of `vocab` logits, and what is left of those: 8 bytes each.
inline std::int64_t top_candidates(std::int64_t vocab, std::int64_t k) {
    const std::int64_t n = top_slices(vocab) * k;
    return n + top_slices(n) * k;
}

/// What a library's products may have to work in, and those of them that wait for their epilogue, floats.
constexpr std::size_t kLibraryWorkspace = std::size_t{32} << 20;
constexpr std::int64_t kLibraryFloats = std::int64_t{8} << 20;

/// Pinned memory that is sent from, in two halves.
constexpr std::size_t kPinnedHalf = std::size_t{4} << 20;

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
