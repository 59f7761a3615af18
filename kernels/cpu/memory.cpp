#include "kernels/cpu/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "tinyllm/error.h"

namespace tinyllm::cpu {

std::shared_ptr<std::byte> allocate_pages(std::size_t bytes) {
    constexpr std::size_t kLarge = std::size_t{2} << 20;
    const std::size_t align = bytes >= 2 * kLarge ? kLarge : 4096;
    const auto refuse = [&] {
        throw Error(ErrorKind::out_of_memory, "no memory for " + std::to_string(bytes) + " bytes");
    };
    if (bytes > SIZE_MAX / 2) refuse();
    const std::size_t mapped = (bytes ? bytes : 1) + (align > 4096 ? align : 0);
    void* map = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) refuse();
    const auto start = (reinterpret_cast<std::uintptr_t>(map) + align - 1) / align * align;
    // Only whole large pages, so that no memory is held beyond what was asked for.
    if (align == kLarge) madvise(reinterpret_cast<void*>(start), bytes / kLarge * kLarge, MADV_HUGEPAGE);
    return {reinterpret_cast<std::byte*>(start), [map, mapped](std::byte*) { munmap(map, mapped); }};
}

std::shared_ptr<std::byte> Arena::take(std::size_t bytes) {
    constexpr std::size_t kMost = std::size_t{64} << 20;
    if (bytes > kMost / 4) return allocate_pages(bytes);
    bytes = (bytes + 63) / 64 * 64;
    if (bytes > size_ - used_) {
        // Small models take small mappings: a large page is held whole, however little of it is used.
        size_ = std::clamp(4 * std::max(size_, bytes), std::size_t{1} << 20, kMost);
        used_ = 0;
        mapping_ = allocate_pages(size_);
    }
    std::byte* piece = mapping_.get() + used_;
    used_ += bytes;
    return {mapping_, piece};
}

void Scratch::grow(std::size_t bytes) {
    memory_.reset();
    size_ = 0;
    const std::size_t rounded = (bytes + bytes / 2 + 4095) / 4096 * 4096;
    memory_ = allocate_pages(rounded);
    size_ = rounded;
}

}  // namespace tinyllm::cpu
