// A Hugging Face model folder: its JSON files and its weights.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/json_file.h"
#include "engine/tensor_source.h"

namespace tinyllm {

class HfFolder {
  public:
    /// Throws Error(not_found) if the folder or its config.json is absent.
    explicit HfFolder(std::string path);

    const std::string& path() const { return path_; }
    const nlohmann::json& config() const { return config_; }
    /// Null JSON if the file is absent.
    const nlohmann::json& generation_config() const { return generation_config_; }

    /// model.safetensors or pytorch_model.bin, whole or the shards of its index.json; the first that is
    /// there. Throws Error: not_found (naming what was looked for), corrupt.
    std::unique_ptr<TensorSource> open_tensors() const;

  private:
    std::string path_;
    nlohmann::json config_;
    nlohmann::json generation_config_;
};

}  // namespace tinyllm
