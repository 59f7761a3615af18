#include "engine/kv_cache.h"

#include <cassert>
#include <utility>

#include "engine/fail.h"

namespace tinyllm {

void check_cache_type(std::string_view model, std::int64_t head_dim, DType type) {
    if (type != DType::f32 && type != DType::f16 && type != DType::q8_0 && type != DType::q4_0) {
        fail(ErrorKind::unsupported, "KV cache of type {} is not supported: f32, f16, q8_0 or q4_0",
             dtype_name(type));
    }
    if (head_dim % dtype_block(type) != 0) {
        fail(ErrorKind::unsupported,
             "{}: a KV cache of type {} needs heads of a multiple of {} elements, the model's have {}; take "
             "f16 or f32",
             model, dtype_name(type), dtype_block(type), head_dim);
    }
}

KvPool::KvPool(Backend& backend, const Config& config, DType k_type, DType v_type)
    : backend_(backend), n_layers_(config.n_layers) {
    shape_.k_type = k_type;
    shape_.v_type = v_type;
    shape_.n_kv_heads = static_cast<std::int32_t>(config.n_kv_heads);
    shape_.head_dim = static_cast<std::int32_t>(config.head_dim);
    // Each part begins at a multiple of 64 bytes, as allocations do.
    const auto part = [&](DType type) {
        const std::size_t bytes =
            static_cast<std::size_t>(config.n_kv_heads * kKvBlock) * row_bytes(type, config.head_dim);
        return (bytes + 63) / 64 * 64;
    };
    k_bytes_ = part(k_type);
    v_bytes_ = part(v_type);
    block_bytes_ = (k_bytes_ + v_bytes_) * static_cast<std::size_t>(n_layers_);
    k_blocks_.resize(static_cast<std::size_t>(n_layers_));
    v_blocks_.resize(static_cast<std::size_t>(n_layers_));
}

void KvPool::reserve() {
    const std::lock_guard lock(mutex_);
    grow_if_full();
}

void KvPool::grow_if_full() {
    if (!free_.empty()) return;
    const std::shared_ptr<std::byte> memory = backend_.allocate(block_bytes_);
    std::byte* at = memory.get();
    for (std::size_t i = 0; i < k_blocks_.size(); ++i, at += k_bytes_ + v_bytes_) {
        k_blocks_[i].push_back(at);
        v_blocks_[i].push_back(at + k_bytes_);
    }
    free_.push_back(static_cast<std::int32_t>(memory_.size()));
    memory_.push_back(memory);
    references_.push_back(0);
}

std::int32_t KvPool::acquire() {
    const std::lock_guard lock(mutex_);
    grow_if_full();
    const std::int32_t block = free_.back();
    free_.pop_back();
    references_[static_cast<std::size_t>(block)] = 1;
    return block;
}

void KvPool::retain(std::int32_t block) {
    const std::lock_guard lock(mutex_);
    ++references_[static_cast<std::size_t>(block)];
}

void KvPool::release(std::int32_t block) {
    const std::lock_guard lock(mutex_);
    assert(references_[static_cast<std::size_t>(block)] > 0);
    if (--references_[static_cast<std::size_t>(block)] == 0) free_.push_back(block);
}

bool KvPool::is_shared(std::int32_t block) const {
    const std::lock_guard lock(mutex_);
    return references_[static_cast<std::size_t>(block)] > 1;
}

void KvPool::copy(std::int32_t from, std::int32_t to, std::int32_t n) {
    for (const KvLayer& layer : layers()) backend_.copy_kv({layer, from, to, n});
}

std::vector<KvLayer> KvPool::layers() const {
    std::vector<KvLayer> layers(k_blocks_.size(), shape_);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        layers[i].k_blocks = k_blocks_[i].data();
        layers[i].v_blocks = v_blocks_[i].data();
    }
    return layers;
}

std::int64_t KvPool::bytes() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int64_t>(references_.size() * block_bytes_);
}

Sequence::Sequence(const Sequence& other)
    : pool_(other.pool_), blocks_(other.blocks_), length_(other.length_) {
    for (std::int32_t block : blocks_) pool_->retain(block);
}

Sequence& Sequence::operator=(const Sequence& other) {
    if (this != &other) *this = Sequence(other);
    return *this;
}

Sequence::Sequence(Sequence&& other) noexcept
    : pool_(other.pool_),
      blocks_(std::exchange(other.blocks_, {})),
      length_(std::exchange(other.length_, 0)) {}

Sequence& Sequence::operator=(Sequence&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(blocks_, other.blocks_);
    std::swap(length_, other.length_);
    return *this;
}

const std::int32_t* Sequence::append(std::int64_t n) {
    const auto filled = static_cast<std::int32_t>(length_ % kKvBlock);
    if (n > 0 && filled > 0 && pool_->is_shared(blocks_.back())) {
        const std::int32_t own = pool_->acquire();
        pool_->copy(blocks_.back(), own, filled);
        pool_->release(std::exchange(blocks_.back(), own));
    }
    while (std::ssize(blocks_) * kKvBlock < length_ + n) blocks_.push_back(pool_->acquire());
    length_ += n;
    return blocks_.data();
}

void Sequence::prepare() const {
    if (length_ % kKvBlock == 0 || pool_->is_shared(blocks_.back())) pool_->reserve();
}

void Sequence::truncate(std::int64_t n) {
    assert(n >= 0 && n <= length_);
    length_ = n;
    while (!blocks_.empty() && (std::ssize(blocks_) - 1) * kKvBlock >= n) {
        pool_->release(blocks_.back());
        blocks_.pop_back();
    }
}

}  // namespace tinyllm
