// A model's files, read as far as its configuration: what loading and converting have in common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/architecture.h"
#include "engine/config.h"
#include "engine/tensor_source.h"
#include "engine/weights.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

struct ModelSource {
    const Architecture* architecture = nullptr;
    Config config;  // checked
    std::unique_ptr<TensorSource> tensors;
    FileForm form = FileForm::gguf;
    std::vector<Token> eos;
};

/// `path`: a Hugging Face folder or a .gguf file. Throws Error: not_found, unsupported (architecture, config
/// key), corrupt.
ModelSource open_model_source(const std::string& path);

}  // namespace tinyllm
