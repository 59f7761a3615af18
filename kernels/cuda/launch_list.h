// Launches in the order in which they will run, with their arguments, in one stretch of bytes: comparing two
// lists is comparing memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "kernels/cuda/stream.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

class LaunchList {
  public:
    void add(const Launch& launch) {
        Launch head = launch;
        head.arguments = nullptr;
        const auto bytes = static_cast<std::size_t>(launch.bytes);
        const std::size_t at = bytes_.size();
        bytes_.resize(at + sizeof head + padded(bytes));
        std::memcpy(bytes_.data() + at, &head, sizeof head);
        std::memcpy(bytes_.data() + at + sizeof head, launch.arguments, bytes);
    }
    /// Arguments are aligned to 8 bytes and valid for as long as the list is not changed.
    template <typename Visit>
    void each(const Visit& visit) const {
        for (std::size_t at = 0; at < bytes_.size();) {
            Launch launch;
            std::memcpy(&launch, bytes_.data() + at, sizeof launch);
            launch.arguments = bytes_.data() + at + sizeof launch;
            visit(launch);
            at += sizeof launch + padded(static_cast<std::size_t>(launch.bytes));
        }
    }
    bool operator==(const LaunchList& other) const {
        return bytes_.size() == other.bytes_.size() &&
               std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
    }
    bool empty() const { return bytes_.empty(); }
    void clear() { bytes_.clear(); }

  private:
    static_assert(sizeof(Launch) % 8 == 0);
    static std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }
    std::vector<std::byte> bytes_;
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
