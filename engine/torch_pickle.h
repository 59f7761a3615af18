// pytorch_model.bin: what torch.save writes of a dict of tensors.
#pragma once

#include <memory>
#include <string>

#include "engine/tensor_source.h"

namespace tinyllm {

/// The ZIP form (PyTorch 1.6 and later) and the form before it. The pickle inside is read as data, see
/// engine/pickle.h. Contiguous tensors view the mapped file; strided ones are copied. Tensors may share
/// storage. Throws Error: not_found, corrupt (also for a pickle that asks for more than tensors),
/// unsupported.
std::unique_ptr<TensorSource> open_torch_file(const std::string& path);

}  // namespace tinyllm
