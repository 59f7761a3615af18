// Kernels read numbers at their natural alignment. Most files provide it; for those that do not, the bytes
// are copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/tensor_source.h"

namespace tinyllm {

class AlignedCopies {
  public:
    /// Leaves an aligned view alone; points another to a copy.
    void align(TensorView& tensor) {
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(tensor.data.data()) % alignof(float) == 0;
        if (is_aligned || !tensor.unsupported.empty()) return;
        tensor.data = copies_.emplace_back(tensor.data.begin(), tensor.data.end());
    }

    /// Room for `bytes`, which lives as long as this.
    std::span<std::byte> allocate(std::size_t bytes) { return copies_.emplace_back(bytes); }

  private:
    std::deque<std::vector<std::byte>> copies_;
};

}  // namespace tinyllm
