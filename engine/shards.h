// Weights split over several files, as an index.json lists them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/tensor_source.h"

namespace tinyllm {

/// `index_path` is a *.index.json of `folder`; `open` opens one shard. Index and shards must agree on every
/// tensor. Throws Error: not_found (naming the shard), corrupt.
std::unique_ptr<TensorSource> open_shards(
    const std::string& folder, const std::string& index_path,
    const std::function<std::unique_ptr<TensorSource>(const std::string& path)>& open);

}  // namespace tinyllm
