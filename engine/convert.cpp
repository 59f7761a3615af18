// Models rewritten as GGUF: which tensors go where and in which type. engine/recode.h does the arithmetic.
#include "tinyllm/convert.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>

#include "engine/check_model.h"
#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/hf_folder.h"
#include "engine/mixture.h"
#include "engine/model_source.h"
#include "engine/printable.h"
#include "engine/recode.h"
#include "kernels/quant.h"
#include "kernels/quant_weighted.h"
#include "tinyllm/imatrix.h"
#include "tokenizers/gguf_tokenizer.h"

namespace tinyllm {

namespace {

/// One tensor to write.
struct TensorJob {
    RecodeRequest request;
    TensorReport report;
    std::optional<DType> asked;
    bool is_parameter = true;  // false: a table GGUF derives from the configuration
};

/// What the options ask each tensor to be: the types of embedding and head, --tensor-type rules, compiled,
/// counting what they matched, a mixture's types, one type for all.
class TypeRules {
  public:
    TypeRules(const ConvertOptions& options, const std::vector<TensorJob>& jobs, const Config& config)
        : options_(options), tied_(true) {
        std::vector<std::string> matrices;
        for (const TensorJob& job : jobs) {
            if (job.report.shape.size() >= 2) matrices.push_back(job.report.name);
            tied_ &= job.report.name != "output.weight";
        }
        if (!options.mixture.empty()) {
            mixture_ = find_mixture(options.mixture);
            if (!mixture_) {
                fail(ErrorKind::usage, "{} is none of the mixtures {}", printable(options.mixture),
                     fmt::join(mixture_names(), ", "));
            }
            mixed_ = mixture_types(
                *mixture_, matrices,
                {.n_layers = config.encoder_layers ? config.encoder_layers : config.n_layers,
                 .heads_per_kv_head = config.n_heads / std::max<std::int64_t>(config.n_kv_heads, 1),
                 .has_importance = !options.imatrix.empty()});
        }
        for (const auto& [pattern, type] : options.tensor_types) {
            try {
                rules_.push_back({std::regex(pattern), type, false});
            } catch (const std::regex_error& error) {
                fail(ErrorKind::usage, "tensor type rule \"{}\": not a regular expression: {}", pattern,
                     error.what());
            }
        }
    }

    /// Null: one type, or as stored.
    const Mixture* mixture() const { return mixture_; }

    std::optional<DType> asked_for(const std::string& name) {
        if (name == "token_embd.weight") {
            if (options_.token_embedding_type) return options_.token_embedding_type;
            if (tied_ && options_.output_type) return options_.output_type;
        }
        if (name == "output.weight" && options_.output_type) return options_.output_type;
        for (Rule& rule : rules_) {
            if (std::regex_search(name, rule.pattern)) {
                rule.used = true;
                return rule.type;
            }
        }
        const auto mixed = mixed_.find(name);
        return mixed != mixed_.end() ? mixed->second : options_.type;
    }

    void check_all_used() const {
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            if (rules_[i].used) continue;
            fail(ErrorKind::usage, "tensor type rule \"{}\" decides the type of no tensor",
                 options_.tensor_types[i].first);
        }
    }

  private:
    struct Rule {
        std::regex pattern;
        DType type;
        bool used;
    };
    const ConvertOptions& options_;
    bool tied_;  // the head is the embedding
    const Mixture* mixture_ = nullptr;
    std::map<std::string, DType> mixed_;
    std::vector<Rule> rules_;
};

/// Written row gguf_rows[i] is stored row hf_rows[i]: both orders lead to the engine's own row i.
std::vector<std::int32_t> gguf_row_sources(const TensorRule& rule, const Config& config) {
    if (rule.hf_rows == nullptr && rule.gguf_rows == nullptr) return {};
    const auto hf = rule.hf_rows != nullptr ? rule.hf_rows(config) : std::vector<std::int32_t>{};
    const auto gguf = rule.gguf_rows != nullptr ? rule.gguf_rows(config) : std::vector<std::int32_t>{};
    const std::size_t n = std::max(hf.size(), gguf.size());
    std::vector<std::int32_t> sources(n);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t written = gguf.empty() ? i : static_cast<std::size_t>(gguf[i]);
        sources[written] = hf.empty() ? static_cast<std::int32_t>(i) : hf[i];
    }
    return sources;
}

/// The weights of a folder under their GGUF names: first those outside the layers, then layer by layer.
std::vector<TensorJob> jobs_of_folder(const ModelSource& source) {
    const Architecture& architecture = *source.architecture;
    std::map<std::pair<std::int64_t, const TensorRule*>, TensorJob> jobs;
    for (const TensorView& tensor : source.tensors->tensors()) {
        if (is_ignored_hf_name(architecture, source.config, tensor.name)) continue;
        const auto [rule, layer] = match_hf_name(architecture, tensor.name);
        TensorJob job;
        job.report.name = layer_name(rule->gguf, layer);
        job.request = {&tensor, tensor.type, rule->hf_transposed, gguf_row_sources(*rule, source.config)};
        job.report.shape = tensor.shape;
        if (rule->hf_transposed) std::swap(job.report.shape[0], job.report.shape[1]);
        jobs.emplace(std::pair(layer, rule), std::move(job));
    }
    std::vector<TensorJob> ordered;
    for (auto& [key, job] : jobs) ordered.push_back(std::move(job));
    return ordered;
}

std::vector<TensorJob> jobs_of_gguf(const ModelSource& source) {
    std::vector<TensorJob> jobs;
    for (const TensorView& tensor : source.tensors->tensors()) {
        TensorJob job;
        job.request.tensor = &tensor;
        job.report.name = tensor.name;
        job.report.shape = tensor.shape;
        job.is_parameter = std::ranges::count(source.architecture->gguf_in_config, tensor.name) == 0;
        jobs.push_back(std::move(job));
    }
    return jobs;
}

void choose_type(TensorJob& job, TypeRules& rules, bool fallback) {
    const TensorView& tensor = *job.request.tensor;
    TensorReport& report = job.report;
    report.from = tensor.type;
    report.to = DType::f32;
    if (tensor.shape.size() >= 2) {
        const std::optional<DType> asked = rules.asked_for(report.name);
        report.to = tensor.type;
        if (asked)
            report.to =
                weight_type(report.name, *asked, tensor.type, report.shape.back(), fallback, &report.note);
        job.asked = asked;
    }
    job.request.to = report.to;
    const std::int64_t cols = report.shape.empty() ? 1 : report.shape.back();
    if (cols > 0) {
        report.bits_per_weight =
            8.0 * static_cast<double>(row_bytes(report.to, cols)) / static_cast<double>(cols);
    }
}

/// The type that holds most weights.
DType main_type(const std::vector<TensorJob>& jobs) {
    std::map<DType, std::int64_t> elements;
    for (const TensorJob& job : jobs) {
        if (job.report.shape.size() >= 2) elements[job.report.to] += element_count(*job.request.tensor);
    }
    DType best = DType::f32;
    std::int64_t most = 0;
    for (const auto& [type, n] : elements) {
        if (n > most) std::tie(best, most) = std::pair(type, n);
    }
    return best;
}

/// A mixture is a promise of llama.cpp's bytes: what cannot have its type gets another only if that is
/// allowed.
void check_fit(const std::vector<TensorJob>& jobs, const Mixture& mixture) {
    const auto misfit = [](const TensorJob& job) {
        return job.asked && !is_position_table(job.report.name) &&
               job.report.shape.back() % dtype_block(*job.asked) != 0;
    };
    const auto first = std::ranges::find_if(jobs, misfit);
    if (first == jobs.end()) return;
    const TensorReport& tensor = first->report;
    const DType instead =
        weight_type(tensor.name, *first->asked, tensor.from, tensor.shape.back(), true, nullptr);
    fail(
        ErrorKind::usage,
        "{}: {} tensors have rows that are no multiple of their type's block, the first {}, whose {} "
        "columns would become {} instead of {}: allow it with --fallback, or choose a type with blocks of 32",
        mixture.name, std::ranges::count_if(jobs, misfit), tensor.name, tensor.shape.back(),
        dtype_name(instead), dtype_name(*first->asked));
}

/// Mean squares of each matrix's inputs, checked against the tensors, by name.
std::map<std::string, std::vector<float>> importance_of(const ImportanceMatrix& matrix,
                                                        const std::string& path,
                                                        const std::vector<TensorJob>& jobs,
                                                        std::vector<std::string>& notes) {
    std::map<std::string, std::vector<float>> importance;
    std::vector<std::string> without;
    bool used = false;
    for (const TensorJob& job : jobs) {
        if (job.report.shape.size() < 2) continue;
        const bool weighted = has_weighted_quantizer(job.report.to);
        const auto found = matrix.inputs.find(job.report.name);
        if (found == matrix.inputs.end()) {
            if (weighted) without.push_back(job.report.name);
            continue;
        }
        used |= weighted;
        if (std::ssize(found->second.squares) != job.report.shape.back()) {
            fail(ErrorKind::corrupt,
                 "{}: {} has {} columns, the model's tensor {}: an importance matrix of another model?", path,
                 job.report.name, found->second.squares.size(), job.report.shape.back());
        }
        importance[job.report.name] = found->second.mean_squares();
    }
    if (!used) notes.push_back("the importance matrix changes nothing: no tensor is rounded by it");
    if (!without.empty()) {
        notes.push_back(fmt::format("the importance matrix says nothing of {}", fmt::join(without, ", ")));
    }
    return importance;
}

/// The keys by which llama.cpp's files tell what they were quantized with.
void describe_importance(const ImportanceMatrix& matrix, const std::string& path, std::size_t entries,
                         GgufWriter& writer) {
    writer.set_string("quantize.imatrix.file", path);
    if (!matrix.datasets.empty()) writer.set_string("quantize.imatrix.dataset", matrix.datasets.front());
    writer.set_u32("quantize.imatrix.entries_count", static_cast<std::uint32_t>(entries));
    writer.set_u32("quantize.imatrix.chunks_count", static_cast<std::uint32_t>(matrix.chunks));
}

void set_types(const std::vector<TensorJob>& jobs, const Mixture* mixture, GgufWriter& writer) {
    writer.set_u32("general.file_type",
                   mixture ? mixture->file_type : traits(main_type(jobs)).uses.file_type);
    writer.set_u32("general.quantization_version", 2);
}

/// What a GGUF file says of a model that comes from a folder.
void describe_folder(const std::string& path, const ModelSource& source, GgufWriter& writer,
                     std::vector<std::string>& notes) {
    std::filesystem::path folder = std::filesystem::weakly_canonical(path);
    writer.set_string("general.architecture", std::string(source.architecture->name));
    writer.set_string("general.type", "model");
    writer.set_string("general.name", folder.filename().string());
    source.architecture->to_gguf(source.config, writer);
    try {
        write_gguf_tokenizer(path, source.config.vocab_size, writer);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;
        writer.set_string("tokenizer.ggml.model", "none");  // llama.cpp's word for it
        notes.push_back(fmt::format("the file holds no tokenizer: {}", error.what()));
    }
}

void copy_metadata(const GgufFile& file, GgufWriter& writer) {
    for (const auto& [key, value] : file.metadata()) {
        if (key != "general.alignment") writer.copy(file, key);  // the writer has its own
    }
}

}  // namespace

ConvertReport convert_to_gguf(const std::string& input, const std::string& output,
                              const ConvertOptions& options) {
    const ModelSource source = open_model_source(input);
    check_model(source);
    const bool from_folder = source.form == FileForm::hugging_face;
    std::vector<TensorJob> jobs = from_folder ? jobs_of_folder(source) : jobs_of_gguf(source);
    TypeRules rules(options, jobs, source.config);
    for (TensorJob& job : jobs) choose_type(job, rules, options.fallback);
    rules.check_all_used();
    if (rules.mixture() && !options.fallback) check_fit(jobs, *rules.mixture());

    ConvertReport report;
    ImportanceMatrix matrix;
    std::map<std::string, std::vector<float>> importance;
    if (!options.imatrix.empty()) {
        matrix = read_imatrix(options.imatrix);
        importance = importance_of(matrix, options.imatrix, jobs, report.notes);
        for (TensorJob& job : jobs) {
            const auto found = importance.find(job.report.name);
            if (found != importance.end()) job.request.importance = found->second.data();
        }
    }
    GgufWriter writer;
    if (from_folder) {
        describe_folder(input, source, writer, report.notes);
    } else {
        copy_metadata(dynamic_cast<const GgufFile&>(*source.tensors), writer);
    }
    set_types(jobs, rules.mixture(), writer);
    if (!options.imatrix.empty()) describe_importance(matrix, options.imatrix, importance.size(), writer);

    const auto produce = [&](TensorJob& job) {
        Recoded recoded = recode(job.request);
        source.tensors->release_all(*job.request.tensor);
        job.report.rms_error = recoded.rms_error;
        job.report.weighted_error = recoded.weighted_error;
        if (options.progress) options.progress(job.report);
        return std::move(recoded.data);
    };
    for (TensorJob& job : jobs) {
        writer.add_tensor(job.report.name, job.report.to, job.report.shape,
                          [&produce, &job] { return produce(job); });
        if (job.is_parameter) report.parameters += element_count(*job.request.tensor);
    }
    if (options.dry_run) {
        for (TensorJob& job : jobs) (void)produce(job);
        report.bytes = writer.file_bytes();
    } else {
        report.bytes = writer.write(output);
    }
    for (TensorJob& job : jobs) report.tensors.push_back(std::move(job.report));
    return report;
}

}  // namespace tinyllm
