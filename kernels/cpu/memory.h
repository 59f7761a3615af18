// Zeroed memory straight from the system, so that untouched pages cost nothing; large pages where the system
// gives them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace tinyllm::cpu {

/// 64-byte aligned (2 MB for large ones). Throws Error(out_of_memory).
std::shared_ptr<std::byte> allocate_pages(std::size_t bytes);

/// Pieces of large mappings, for much that is kept as long: neighbours share large pages, which are faster to
/// get and to read than small ones. Not for several threads.
class Arena {
  public:
    /// Zeroed, 64-byte aligned; its mapping lives as long as any piece of it. Throws Error(out_of_memory).
    std::shared_ptr<std::byte> take(std::size_t bytes);

  private:
    std::shared_ptr<std::byte> mapping_;
    std::size_t size_ = 0, used_ = 0;
};

/// Scratch that only grows; contents are lost when it does. 64-byte aligned.
class Scratch {
  public:
    template <typename T>
    T* get(std::size_t n) {
        if (n * sizeof(T) > size_) grow(n * sizeof(T));
        return reinterpret_cast<T*>(memory_.get());
    }
    std::size_t bytes() const { return size_; }

  private:
    void grow(std::size_t bytes);
    std::shared_ptr<std::byte> memory_;
    std::size_t size_ = 0;
};

}  // namespace tinyllm::cpu
