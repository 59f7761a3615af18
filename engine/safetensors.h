// .safetensors files. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <memory>
#include <string>

#include "engine/tensor_source.h"

namespace tinyllm {

/// One file. F32, F16 and BF16 are read; tensors of other types are refused when asked for.
/// Throws Error: not_found, corrupt (naming tensor and bytes).
std::unique_ptr<TensorSource> open_safetensors(const std::string& path);

}  // namespace tinyllm
