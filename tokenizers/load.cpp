#include <filesystem>

#include "engine/fail.h"
#include "tokenizers/gguf_tokenizer.h"
#include "tokenizers/hf_tokenizer.h"

namespace tinyllm {

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return load_hf_tokenizer(path);
    if (!std::filesystem::exists(path, error)) fail(ErrorKind::not_found, "{}: no such file or folder", path);
    return load_gguf_tokenizer(GgufFile(path));
}

}  // namespace tinyllm
