#include "tinyllm/model.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>

#include "engine/devices.h"
#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/model_source.h"
#include "engine/network.h"
#include "engine/packed_cache.h"
#include "engine/recording_backend.h"
#include "engine/stages.h"
#include "kernels/profiling_backend.h"
#include "tokenizers/gguf_tokenizer.h"

namespace tinyllm {
namespace {

/// Gives back what building took beside the result: it would still be there when the weights are at their
/// peak.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path, const ModelSource& source) {
    std::shared_ptr<const Tokenizer> tokenizer;
    if (const auto* file = dynamic_cast<const GgufFile*>(source.tensors.get())) {
        tokenizer = load_gguf_tokenizer(*file);
        file->release_metadata();
    } else {
        tokenizer = Tokenizer::load(path);
    }
#if defined(__GLIBC__)
    ::malloc_trim(0);
#endif
    return tokenizer;
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::string& path, const ModelOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::shared_ptr<Model> model(new Model);
    const ModelSource source = open_model_source(path);
    model->exact_ = options.exact;
    std::vector<std::string> about_device;
    model->backend_ = make_device_backend(options, about_device);
    if (options.record) model->backend_ = make_recording_backend(std::move(model->backend_), *options.record);
    if (options.profile) {
        auto profiling = std::make_unique<ProfilingBackend>(std::move(model->backend_));
        model->profiling_ = profiling.get();
        model->backend_ = std::move(profiling);
    }
    // Beside the weights: the one is bound by the CPU, the others by memory. A single thread builds it first,
    // when there is room for what building takes.
    std::future<std::shared_ptr<const Tokenizer>> tokenizer;
    if (options.tokenizer) {
        const bool alone = model->backend_->threads() == 1;
        tokenizer = std::async(alone ? std::launch::deferred : std::launch::async | std::launch::deferred,
                               [&] { return load_tokenizer(path, source); });
        if (alone) tokenizer.wait();
    }
    PackedCache cache(options.packed_cache, *source.tensors, options.type, *model->backend_);
    WeightLoader weights(*source.architecture, source.config, *source.tensors, source.form, *model->backend_,
                         options.type, &cache);
    {
        const std::lock_guard lock(model->backend_->mutex());
        model->network_ = source.architecture->build(source.config, weights);
        weights.finish();
    }
    cache.save();
    model->network_->memory = weights.take_memory();
    model->network_->memory.push_back(cache.memory());
    if (options.tokenizer) model->tokenizer_ = tokenizer.get();

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
    info.encoder_layers = config.encoder_layers;
    info.encoder_decoder = config.encoder_layers > 0;
    info.decoder_start = static_cast<Token>(config.decoder_start);
    info.main_type = std::ranges::max_element(totals.parameters_by_type, {}, [](const auto& p) {
                         return p.second;
                     })->first;
    info.backend = fmt::format("{} ({})", model->backend_->name(), model->backend_->description());
    info.threads = model->backend_->threads();
    info.cores = model->backend_->cores();
    info.eos = source.eos;
    info.notes = totals.notes;
    info.packed_file = cache.used_file();
    info.warnings = cache.warnings();
    for (const std::string& line : model->backend_->notes()) about_device.push_back(line);
    info.warnings.insert(info.warnings.begin(), about_device.begin(), about_device.end());
    info.load_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return model;
}

std::vector<StageUse> Model::profile() const {
    if (!profiling_) return {};
    const std::lock_guard lock(profiling_->mutex());
    return named_stages(profiling_->uses());
}

void Model::clear_profile() const {
    if (!profiling_) return;
    const std::lock_guard lock(profiling_->mutex());
    profiling_->clear();
}

const Tokenizer& Model::tokenizer() const {
    if (!tokenizer_) fail(ErrorKind::unsupported, "{}: the model was loaded without a tokenizer", info_.path);
    return *tokenizer_;
}

}  // namespace tinyllm
