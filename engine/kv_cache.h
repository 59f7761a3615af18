// The KV cache: a pool of blocks of kKvBlock positions, and sequences that hold tables of them. A block id
// stands for that block in all layers. Sequences share blocks by reference count; whoever writes into a
// shared block gets a copy first.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "kernels/backend.h"

namespace tinyllm {

/// Throws Error(unsupported) where the keys or values of `model` (for the message), heads of `head_dim`
/// elements, cannot be kept as `type`: f32, f16, or, in blocks of 32 along the head, q8_0 and q4_0.
void check_cache_type(std::string_view model, std::int64_t head_dim, DType type);

class KvPool {
  public:
    /// Of types that check_cache_type() passes.
    KvPool(Backend& backend, const Config& config, DType k_type, DType v_type);

    /// A block with one reference. Grows the pool by one block when none is free; only while the backend's
    /// mutex is held.
    std::int32_t acquire();
    /// Grows the pool now where the next acquire() would; only while the backend's mutex is held.
    void reserve();
    void retain(std::int32_t block);
    void release(std::int32_t block);
    bool is_shared(std::int32_t block) const;
    /// Copies the first `n` positions of a block in every layer; only while the backend's mutex is held.
    void copy(std::int32_t from, std::int32_t to, std::int32_t n);

    /// Valid until the pool grows.
    std::vector<KvLayer> layers() const;
    std::int64_t bytes() const;
    std::int64_t block_bytes() const { return static_cast<std::int64_t>(block_bytes_); }

  private:
    void grow_if_full();  // under mutex_

    Backend& backend_;
    std::int64_t n_layers_;
    KvLayer shape_;
    std::size_t k_bytes_;  // of one layer's k in a block
    std::size_t v_bytes_;
    std::size_t block_bytes_;                         // of all layers
    std::vector<std::shared_ptr<std::byte>> memory_;  // by block
    std::vector<std::vector<std::byte*>> k_blocks_;   // by layer, by block
    std::vector<std::vector<std::byte*>> v_blocks_;
    mutable std::mutex mutex_;  // of the two below: sequences die outside the backend's mutex
    std::vector<std::int32_t> references_;
    std::vector<std::int32_t> free_;
};

/// One sequence's positions. Copying it shares the blocks.
class Sequence {
  public:
    explicit Sequence(std::shared_ptr<KvPool> pool) : pool_(std::move(pool)) {}
    ~Sequence() { truncate(0); }
    Sequence(const Sequence& other);
    Sequence& operator=(const Sequence& other);
    Sequence(Sequence&& other) noexcept;
    Sequence& operator=(Sequence&& other) noexcept;

    std::int64_t length() const { return length_; }
    /// The block table; valid until the next append or truncate.
    const std::int32_t* blocks() const { return blocks_.data(); }
    /// Makes room for `n` positions behind the last one and counts them as held; returns the block table.
    /// Needs the backend's mutex.
    const std::int32_t* append(std::int64_t n);
    /// Has the pool allocate what append(1) would want of it. Needs the backend's mutex.
    void prepare() const;
    /// Forgets everything behind the first `n` positions.
    void truncate(std::int64_t n);

  private:
    std::shared_ptr<KvPool> pool_;
    std::vector<std::int32_t> blocks_;
    std::int64_t length_ = 0;
};

}  // namespace tinyllm
