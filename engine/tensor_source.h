// The tensors of a model, whatever files they lie in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/dtype.h"

namespace tinyllm {

struct TensorView {
    std::string name;
    DType type = DType::f32;
    std::vector<std::int64_t> shape;  // outermost first, as PyTorch prints it; GGUF's dims reversed
    std::span<const std::byte> data;  // row-major; in .safetensors files it may be unaligned
    std::string file;                 // for messages
    std::string unsupported =
        {};  // the stored type's name if this build cannot read it; then `type` means nothing
};

/// Throws Error(unsupported) when asked for a tensor whose type this build does not have.
class TensorSource {
  public:
    virtual ~TensorSource() = default;
    /// In file order. Every view's data was checked to lie inside its file and to match its shape and type.
    virtual std::span<const TensorView> tensors() const = 0;
    /// The file pages that hold `part` of the tensor's data are no longer needed.
    virtual void release(const TensorView& tensor, std::span<const std::byte> part) const = 0;
    void release_all(const TensorView& tensor) const { release(tensor, tensor.data); }

    /// Null if absent.
    const TensorView* find(std::string_view name) const;
};

/// Throws Error(unsupported) naming tensor and type if this build cannot read it.
void require_supported(const TensorView& tensor);

/// Elements of the tensor.
std::int64_t element_count(const TensorView& tensor);

}  // namespace tinyllm
