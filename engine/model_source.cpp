#include "engine/model_source.h"

#include <filesystem>
#include <fstream>

#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/hf_folder.h"

namespace tinyllm {
namespace {

bool is_gguf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    char magic[4] = {};
    file.read(magic, sizeof magic);
    return file && std::string_view(magic, sizeof magic) == "GGUF";
}

const Architecture& architecture_of(const Architecture* found, const std::string& file,
                                    std::string_view name) {
    if (found) return *found;
    fail(ErrorKind::unsupported, "{}: architecture \"{}\" is not supported; this build has {}", file, name,
         fmt::join(architecture_names(), ", "));
}

/// A token id or a list of them; anything else holds none.
std::vector<Token> token_ids(const nlohmann::json& value) {
    std::vector<Token> ids;
    for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
        if (id.is_number_integer()) ids.push_back(id.get<Token>());
    }
    return ids;
}

/// For a config that names no number of positions: what the tokenizer was made for, else 2048, as the
/// lm-evaluation-harness has it.
std::int64_t context_of_tokenizer(const std::string& folder) {
    const std::string file = folder + "/tokenizer_config.json";
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) {
        const nlohmann::json json = read_json_file(file);
        const auto it = json.find("model_max_length");
        if (it != json.end() && it->is_number_integer()) return it->get<std::int64_t>();
    }
    return 2048;  // none, or the 1e30 that stands for none
}

ModelSource open_folder(const std::string& path) {
    const HfFolder folder(path);
    const HfConfig json(folder.config(), path + "/config.json");
    const std::string type = json.string("model_type");
    ModelSource source;
    source.form = FileForm::hugging_face;
    source.architecture = &architecture_of(find_architecture_by_model_type(type), json.file(), type);
    source.config = source.architecture->from_hf(json);
    source.config.file = json.file();
    if (source.config.context == 0) source.config.context = context_of_tokenizer(folder.path());
    json.check_all_read();
    source.tensors = folder.open_tensors();
    const nlohmann::json& generation = folder.generation_config();
    const nlohmann::json& eos_of =
        generation.is_object() && generation.contains("eos_token_id") ? generation : folder.config();
    if (eos_of.contains("eos_token_id")) source.eos = token_ids(eos_of["eos_token_id"]);
    return source;
}

ModelSource open_gguf(const std::string& path) {
    auto file = std::make_unique<GgufFile>(path);
    const std::string name = file->string("general.architecture");
    ModelSource source;
    source.architecture = &architecture_of(find_architecture_by_name(name), path, name);
    const GgufConfig keys(*file, name);
    source.config = source.architecture->from_gguf(keys);
    source.config.file = path;
    keys.check_all_read();
    for (std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
        const std::int64_t id = file->integer(key, -1);
        if (id >= 0 && id < source.config.vocab_size) source.eos.push_back(static_cast<Token>(id));
    }
    source.tensors = std::move(file);
    return source;
}

ModelSource open_any(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return open_folder(path);
    if (!std::filesystem::exists(path, error)) {
        fail(ErrorKind::not_found, "{}: no such model; expected a Hugging Face folder or a .gguf file", path);
    }
    if (!std::filesystem::is_regular_file(path, error) || !is_gguf(path)) {
        fail(ErrorKind::corrupt, "{}: expected a Hugging Face folder or a file that begins with GGUF", path);
    }
    return open_gguf(path);
}

}  // namespace

ModelSource open_model_source(const std::string& path) {
    ModelSource source = open_any(path);
    check_config(source.config);
    return source;
}

}  // namespace tinyllm
