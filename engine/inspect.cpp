#include "tinyllm/inspect.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/hf_folder.h"
#include "engine/kv_cache.h"
#include "engine/mixture.h"
#include "engine/model_source.h"
#include "engine/printable.h"
#include "engine/weights.h"
#include "kernels/cuda_memory.h"
#include "kernels/packed_type.h"
#include "tinyllm/convert.h"

namespace tinyllm {
namespace {

std::int64_t elements(const std::vector<std::int64_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// The GGUF name of a tensor that belongs to the model, and whether it is stored as (inputs, outputs); no
/// name for one that loading passes over.
std::pair<std::string, bool> gguf_name(const ModelSource& source, const std::string& name) {
    const Architecture& architecture = *source.architecture;
    const bool hf = source.form == FileForm::hugging_face;
    if (hf && is_ignored_hf_name(architecture, source.config, name)) return {};
    if (!hf && std::ranges::count(architecture.gguf_in_config, name)) return {};
    const RuleMatch match = hf ? match_hf_name(architecture, name) : match_gguf_name(architecture, name);
    if (!match.rule) return {};
    return {layer_name(match.rule->gguf, match.layer), hf && match.rule->hf_transposed};
}

std::string tokenizer_kind(const ModelSource& source, const std::string& path) {
    if (const auto* file = dynamic_cast<const GgufFile*>(source.tensors.get())) {
        const std::string model = file->string("tokenizer.ggml.model", "");
        const std::string pre = file->string("tokenizer.ggml.pre", "");
        return pre.empty() ? model : model + ", pre-tokenizer " + pre;
    }
    namespace fs = std::filesystem;
    const fs::path folder(path);
    if (fs::exists(folder / "tokenizer.json")) {
        const nlohmann::json json = read_json_file((folder / "tokenizer.json").string());
        const auto model = json.find("model");
        const bool named = model != json.end() && model->is_object() && model->contains("type") &&
                           (*model)["type"].is_string();
        return "tokenizer.json" + (named ? ": " + (*model)["type"].get<std::string>() : "");
    }
    for (const char* name : {"tokenizer.model", "vocab.json"}) {
        if (fs::exists(folder / name)) return name;
    }
    return "";
}

Precision precision_of(const ModelOptions& options) {
    return options.exact ? Precision::exact : Precision::fast;
}

std::int64_t loaded_bytes(const TensorInfo& tensor, const ModelOptions& options) {
    return held_tensor(tensor, options).bytes;
}

/// Parameters, bytes and the main type, from the tensors.
void sum_up(ModelFacts& facts) {
    ModelInfo& info = facts.info;
    std::map<DType, std::int64_t> by_type;
    info.parameters = info.weight_bytes = 0;
    for (const TensorInfo& tensor : facts.tensors) {
        const std::int64_t n = elements(tensor.shape);
        info.parameters += n;
        info.weight_bytes += tensor.bytes;
        by_type[tensor.type] += n;
    }
    if (!by_type.empty())
        info.main_type = std::ranges::max_element(by_type, {}, [](const auto& p) { return p.second; })->first;
    if (info.parameters > 0) {
        facts.bits_per_weight =
            8.0 * static_cast<double>(info.weight_bytes) / static_cast<double>(info.parameters);
    }
}

/// What the largest step asks of a GPU. Scores of a text want the logits of many rows; they are counted.
CudaStep largest_step(const ModelFacts& facts, const ModelOptions& options, std::int64_t rows,
                      std::int64_t positions) {
    const ModelInfo& info = facts.info;
    const bool gated = std::ranges::any_of(
        facts.tensors, [](const TensorInfo& t) { return t.gguf_name.find("ffn_gate") != t.gguf_name.npos; });
    const std::int64_t qkv = (info.n_heads + 2 * info.n_kv_heads) * info.head_dim;
    return {.rows = rows,
            .dim = info.dim,
            .inner = std::max({info.dim, info.n_heads * info.head_dim, facts.ff_dim}),
            .products = std::max(qkv, gated ? 2 * facts.ff_dim : 0),
            .vocab = info.vocab_size,
            .logits = rows,
            .heads = info.n_heads,
            .head_dim = info.head_dim,
            .positions = positions,
            .precision = precision_of(options),
            .library = !cublaslt_choice().empty()};
}

}  // namespace

// Vectors count as stored, on a GPU as the floats they become.
HeldTensor held_tensor(const TensorInfo& tensor, const ModelOptions& options) {
    const bool gpu = options.device == "cuda";
    if (tensor.shape.size() != 2) {
        if (!gpu) return {tensor.type, tensor.bytes};
        return {DType::f32, elements(tensor.shape) * std::int64_t{sizeof(float)}};
    }
    const std::int64_t rows = tensor.outputs(), cols = tensor.inputs();
    DType type = tensor.type;
    if (options.type) type = weight_type(tensor.gguf_name, *options.type, type, cols, false, nullptr);
    if (options.device == "ref") return {type, rows * static_cast<std::int64_t>(row_bytes(type, cols))};
    if (gpu) return {type, cuda_matrix_bytes(type, rows, cols, precision_of(options))};
    type = packed_type(type, precision_of(options));
    return {type, rows * packed_row_bytes(type, cols)};
}

ModelFacts with_mixture(ModelFacts facts, const std::string& mixture) {
    const Mixture* found = find_mixture(mixture);
    if (!found) {
        fail(ErrorKind::usage, "{} is none of the mixtures {}", printable(mixture),
             fmt::join(mixture_names(), ", "));
    }
    const ModelInfo& info = facts.info;
    std::vector<std::string> matrices;
    for (const TensorInfo& tensor : facts.tensors) {
        if (tensor.shape.size() == 2) matrices.push_back(tensor.gguf_name);
    }
    const std::map<std::string, DType> types =
        mixture_types(*found, matrices,
                      {.n_layers = info.encoder_layers ? info.encoder_layers : info.n_layers,
                       .heads_per_kv_head = info.n_heads / std::max<std::int64_t>(info.n_kv_heads, 1)});
    for (TensorInfo& tensor : facts.tensors) {
        const std::int64_t n = elements(tensor.shape);
        if (tensor.shape.size() != 2) {
            tensor.type = DType::f32;
            tensor.bytes = n * std::int64_t{sizeof(float)};
            continue;
        }
        const std::int64_t cols = tensor.inputs();
        tensor.type =
            weight_type(tensor.gguf_name, types.at(tensor.gguf_name), tensor.type, cols, true, nullptr);
        tensor.bytes = tensor.outputs() * static_cast<std::int64_t>(row_bytes(tensor.type, cols));
    }
    sum_up(facts);
    return facts;
}

std::int64_t decode_bytes(const ModelFacts& facts, const ModelOptions& options) {
    std::int64_t bytes = 0;
    for (const TensorInfo& tensor : facts.tensors) {
        if (tensor.read_each_step) bytes += loaded_bytes(tensor, options);
    }
    return bytes;
}

ModelFacts inspect_model(const std::string& path) {
    const ModelSource source = open_model_source(path);
    const Config& config = source.config;
    ModelFacts facts;
    ModelInfo& info = facts.info;
    std::set<std::string> names;  // a shared weight may be stored under several
    for (const TensorView& tensor : source.tensors->tensors()) {
        const auto [name, transposed] = gguf_name(source, tensor.name);
        if (name.empty() || !names.insert(name).second) continue;
        const auto bytes = static_cast<std::int64_t>(tensor.data.size());
        const bool row_only =
            name == "position_embd.weight" || (name == "token_embd.weight" && !config.tied_head);
        const bool once_per_context = name.starts_with("enc.") || name.find("cross_attn_k") != name.npos ||
                                      name.find("cross_attn_v") != name.npos;
        facts.tensors.push_back({tensor.name, name, tensor.shape, tensor.type, bytes,
                                 !row_only && !once_per_context, transposed && tensor.shape.size() == 2});
    }
    info.path = path;
    info.architecture = source.architecture->name;
    info.n_layers = config.n_layers;
    info.dim = config.dim;
    facts.ff_dim = config.ff_dim;
    info.n_heads = config.n_heads;
    info.n_kv_heads = config.n_kv_heads;
    info.head_dim = config.head_dim;
    info.vocab_size = config.vocab_size;
    info.context = config.context;
    info.encoder_layers = config.encoder_layers;
    info.encoder_decoder = config.encoder_layers > 0;
    info.decoder_start = static_cast<Token>(config.decoder_start);
    info.eos = source.eos;
    facts.tokenizer = tokenizer_kind(source, path);
    sum_up(facts);
    return facts;
}

MemoryUse predict_memory(const ModelFacts& facts, const ModelOptions& options, const SessionOptions& session,
                         std::int64_t positions) {
    const ModelInfo& info = facts.info;
    MemoryUse use;
    for (const TensorInfo& tensor : facts.tensors) use.weights += loaded_bytes(tensor, options);
    const CacheTypes cache = cache_types(session, options.exact);
    // A decoder behind an encoder also keeps what it reads of the context.
    const std::int64_t blocks = (positions + kKvBlock - 1) / kKvBlock * (info.encoder_decoder ? 2 : 1);
    for (const DType type : {cache.k, cache.v}) {
        check_cache_type(info.path, info.head_dim, type);
        use.kv += blocks * info.n_layers * info.n_kv_heads * kKvBlock *
                  static_cast<std::int64_t>(row_bytes(type, info.head_dim));
    }
    // The residual stream, queries, attention's result and the widest part of the MLP; rope's tables, which
    // double as they grow, are at most that of a head.
    constexpr std::int64_t kFirst = 256, kMost = std::int64_t{1} << 40;
    const auto angles = static_cast<std::int64_t>(
        std::bit_ceil(static_cast<std::uint64_t>(std::clamp(positions, kFirst, kMost))));
    const std::int64_t width = info.dim + 2 * info.n_heads * info.head_dim + facts.ff_dim;
    const std::int64_t rows =
        info.encoder_decoder ? positions : std::min<std::int64_t>(positions, session.chunk);
    use.scratch = (rows * width + angles * info.head_dim) * std::int64_t{sizeof(float)};
    // Fitted (docs/performance.md): program and libraries, and per token of the vocabulary its tables and a
    // row of logits.
    constexpr std::int64_t kProgram = 6'000'000, kPerToken = 150, kPerTokenAlone = 8;
    const std::int64_t process =
        kProgram + info.vocab_size * (facts.tokenizer.empty() ? kPerTokenAlone : kPerToken);
    if (options.device == "cuda") {
        const CudaBuffers buffers = cuda_buffers(largest_step(facts, options, rows, positions));
        use.scratch += buffers.device;
        use.device = use.weights + use.kv + use.scratch;
        use.pinned = buffers.pinned;
        use.context = kCudaContextBytes;
        use.peak = use.device + use.pinned + use.context + process;
        return use;
    }
    // What kernels read instead of the rows: 8 bits and sums, or the floats themselves in another order.
    const bool ints = !options.exact && dtype_block(options.type.value_or(info.main_type)) > 1;
    const std::int64_t activations = rows * std::max(info.dim, facts.ff_dim) * (ints ? 5 : 16) / 4;
    use.peak = use.weights + use.kv + use.scratch + activations + process;
    return use;
}

}  // namespace tinyllm
