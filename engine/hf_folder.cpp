#include "engine/hf_folder.h"

#include <filesystem>
#include <utility>

#include "engine/fail.h"
#include "engine/safetensors.h"
#include "engine/shards.h"
#include "engine/torch_pickle.h"

namespace tinyllm {

namespace {

bool is_present(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

nlohmann::json read_object(const std::string& path) {
    nlohmann::json value = read_json_file(path);
    if (!value.is_object()) {
        fail(ErrorKind::corrupt, "{}: expected a JSON object, found {}", path, value.type_name());
    }
    return value;
}

}  // namespace

HfFolder::HfFolder(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    if (!is_present(path_)) fail(ErrorKind::not_found, "{}: no such model folder", path_);
    const std::string config = path_ + "/config.json";
    if (!is_present(config)) {
        fail(ErrorKind::not_found, "{}: expected a model folder, found no config.json in it", path_);
    }
    config_ = read_object(config);
    const std::string generation_config = path_ + "/generation_config.json";
    if (is_present(generation_config)) generation_config_ = read_object(generation_config);
}

std::unique_ptr<TensorSource> HfFolder::open_tensors() const {
    const std::pair<const char*, std::unique_ptr<TensorSource> (*)(const std::string&)> forms[] = {
        {"model.safetensors", open_safetensors}, {"pytorch_model.bin", open_torch_file}};
    for (const auto& [name, open] : forms) {
        const std::string single = path_ + "/" + name;
        if (is_present(single)) return open(single);
        const std::string index = single + ".index.json";
        if (is_present(index)) return open_shards(path_, index, open);
    }
    fail(ErrorKind::not_found,
         "{}: no weights; looked for model.safetensors and pytorch_model.bin, and for an .index.json of "
         "either",
         path_);
}

}  // namespace tinyllm
