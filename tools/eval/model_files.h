// What identifies a model on disk.
#pragma once

#include <cstdint>
#include <string>

namespace tinyllm::eval {

struct ModelFiles {
    std::string sha256;  ///< of the .gguf file; of a folder: of the lines "sha256  name\n" of its files,
                         ///< sorted by name
    std::int64_t weight_bytes = 0;  ///< size of the files that hold weights
};

/// Reads every byte of the model's files. Throws Error(not_found).
ModelFiles identify_model(const std::string& path);

}  // namespace tinyllm::eval
