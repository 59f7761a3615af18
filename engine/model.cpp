#include "tinyllm/model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "engine/fail.h"
#include "engine/gguf_config.h"
#include "engine/hf_config.h"
#include "engine/hf_folder.h"
#include "engine/network.h"

namespace tinyllm {
namespace {

std::unique_ptr<Backend> make_backend(const ModelOptions& options) {
    BackendOptions backend;
    backend.threads = options.threads;
    backend.precision = options.exact ? Precision::exact : Precision::fast;
    if (options.device == "auto" || options.device == "cpu") return make_cpu_backend(backend);
    if (options.device == "ref") return make_ref_backend(backend);
    if (options.device == "cuda") fail(ErrorKind::device, "device cuda: this build has no CUDA kernels");
    fail(ErrorKind::usage, "device {}: expected auto, cpu, cuda or ref", options.device);
}

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

/// A model's files, read as far as its configuration.
struct Source {
    const Architecture* architecture = nullptr;
    Config config;
    std::unique_ptr<TensorSource> tensors;
    FileForm form = FileForm::gguf;
    std::vector<Token> eos;
};

Source open_folder(const std::string& path) {
    const HfFolder folder(path);
    const HfConfig json(folder.config(), path + "/config.json");
    const std::string type = json.string("model_type");
    Source source;
    source.form = FileForm::hugging_face;
    source.architecture = &architecture_of(find_architecture_by_model_type(type), json.file(), type);
    source.config = source.architecture->from_hf(json);
    source.config.file = json.file();
    json.check_all_read();
    source.tensors = folder.open_tensors();
    const nlohmann::json& generation = folder.generation_config();
    const nlohmann::json& eos_of =
        generation.is_object() && generation.contains("eos_token_id") ? generation : folder.config();
    if (eos_of.contains("eos_token_id")) source.eos = token_ids(eos_of["eos_token_id"]);
    return source;
}

Source open_gguf(const std::string& path) {
    auto file = std::make_unique<GgufFile>(path);
    const std::string name = file->string("general.architecture");
    Source source;
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

Source open_source(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return open_folder(path);
    if (!std::filesystem::exists(path, error)) {
        fail(ErrorKind::not_found, "{}: no such model; expected a Hugging Face folder or a .gguf file", path);
    }
    if (!is_gguf(path)) {
        fail(ErrorKind::corrupt, "{}: expected a Hugging Face folder or a file that begins with GGUF", path);
    }
    return open_gguf(path);
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::string& path, const ModelOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::shared_ptr<Model> model(new Model);
    const Source source = open_source(path);
    check_config(source.config);
    model->exact_ = options.exact;
    model->backend_ = make_backend(options);
    WeightLoader weights(*source.architecture, source.config, *source.tensors, source.form, *model->backend_,
                         options.type);
    model->network_ = source.architecture->build(source.config, weights);
    weights.finish();
    model->network_->memory = weights.take_memory();
    if (options.tokenizer) model->tokenizer_ = Tokenizer::load(path);

    const Config& config = source.config;
    const WeightTotals& totals = weights.totals();
    ModelInfo& info = model->info_;
    info.path = path;
    info.architecture = source.architecture->name;
    info.parameters = totals.parameters;
    info.weight_bytes = totals.bytes;
    info.n_layers = config.n_layers;
    info.dim = config.dim;
    info.n_heads = config.n_heads;
    info.n_kv_heads = config.n_kv_heads;
    info.head_dim = config.head_dim;
    info.vocab_size = config.vocab_size;
    info.context = config.context;
    info.main_type = std::ranges::max_element(totals.parameters_by_type, {}, [](const auto& p) {
                         return p.second;
                     })->first;
    info.backend = fmt::format("{} ({})", model->backend_->name(), model->backend_->description());
    info.threads = model->backend_->threads();
    info.eos = source.eos;
    info.notes = totals.notes;
    info.load_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return model;
}

const Tokenizer& Model::tokenizer() const {
    if (!tokenizer_) fail(ErrorKind::unsupported, "{}: the model was loaded without a tokenizer", info_.path);
    return *tokenizer_;
}

}  // namespace tinyllm
