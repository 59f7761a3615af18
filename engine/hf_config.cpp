#include "engine/hf_config.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/config.h"
#include "engine/fail.h"

namespace tinyllm {
namespace {

// Keys of transformers' PretrainedConfig and of its models that serve training, generation or bookkeeping.
constexpr auto kHarmless = std::to_array<std::string_view>({
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "initializer_range",
    "initializer_factor",
    "init_std",
    "is_decoder",
    "is_llama_config",
    "label2id",
    "language",
    "length_penalty",
    "license",
    "max_length",
    "min_length",
    "model_type",
    "n_ctx",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "pad_token_id",
    "predict_special_tokens",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    "vocab_file",
});

bool is_harmless(std::string_view key) {
    for (auto known : kHarmless) {
        if (key == known) return true;
    }
    // attention_dropout, resid_pdrop, embd_pdrop, hidden_dropout_prob, layerdrop: none acts outside training.
    return key.ends_with("dropout") || key.ends_with("pdrop") || key.ends_with("dropout_prob") ||
           key == "layerdrop";
}

std::string shown(const nlohmann::json& value) {
    std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    return text.size() > 80 ? text.substr(0, 77) + "..." : text;
}

}  // namespace

HfConfig::HfConfig(const nlohmann::json& json, std::string file, std::string place)
    : json_(json), file_(std::move(file)), place_(std::move(place)) {
    if (!json_.is_object()) {
        fail(ErrorKind::corrupt, "{}: {}expected an object, found {}", file_,
             place_.empty() ? "" : place_ + " ", json_.type_name());
    }
}

const nlohmann::json* HfConfig::find(std::string_view key) const {
    read_.emplace(key);
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
}

void HfConfig::wrong_type(std::string_view key, std::string_view expected) const {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) {
        fail(ErrorKind::corrupt, "{}: key {}{} is missing, expected {}", file_, place_, key, expected);
    }
    fail(ErrorKind::corrupt, "{}: key {}{}: expected {}, found {}", file_, place_, key, expected, shown(*it));
}

bool HfConfig::contains(std::string_view key) const {
    read_.emplace(key);
    return json_.contains(key);
}

bool HfConfig::has(std::string_view key) const {
    return find(key) != nullptr;
}

std::int64_t HfConfig::integer(std::string_view key, std::optional<std::int64_t> otherwise) const {
    const nlohmann::json* value = find(key);
    if (!value && otherwise) return *otherwise;
    if (!value || !value->is_number_integer()) wrong_type(key, "an integer");
    if (value->is_number_unsigned() &&
        value->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
        wrong_type(key, "an integer of 64 bits");
    }
    return value->get<std::int64_t>();
}

std::int64_t HfConfig::size(std::string_view key, std::optional<std::int64_t> otherwise) const {
    if (otherwise && !has(key)) return *otherwise;  // derived from other keys: check_config judges it
    const std::int64_t value = integer(key);
    if (value < 1 || value > std::numeric_limits<std::int32_t>::max()) {
        wrong_type(key, "an integer of 1 to 2147483647");
    }
    return value;
}

double HfConfig::number(std::string_view key, std::optional<double> otherwise) const {
    const nlohmann::json* value = find(key);
    if (!value && otherwise) return *otherwise;
    if (!value || !value->is_number() || !std::isfinite(value->get<double>()))
        wrong_type(key, "a finite number");
    return value->get<double>();
}

bool HfConfig::boolean(std::string_view key, std::optional<bool> otherwise) const {
    const nlohmann::json* value = find(key);
    if (!value && otherwise) return *otherwise;
    if (!value || !value->is_boolean()) wrong_type(key, "true or false");
    return value->get<bool>();
}

std::string HfConfig::string(std::string_view key, std::optional<std::string> otherwise) const {
    const nlohmann::json* value = find(key);
    if (!value && otherwise) return *otherwise;
    if (!value || !value->is_string()) wrong_type(key, "a string");
    return value->get<std::string>();
}

HfConfig HfConfig::object(std::string_view key) const {
    const nlohmann::json* value = find(key);
    if (!value || !value->is_object()) wrong_type(key, "an object");
    return HfConfig(*value, file_, fmt::format("{}{}.", place_, key));
}

Activation HfConfig::activation(std::string_view key, std::string_view otherwise) const {
    const std::string name = string(key, std::string(otherwise));
    if (name == "gelu" || name == "gelu_python") return Activation::gelu;
    // gelu_fast writes sqrt(2 / pi) as 0.7978845608, which is the same float.
    if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh" || name == "gelu_accurate" ||
        name == "gelu_python_tanh") {
        return Activation::gelu_tanh;
    }
    if (name == "relu") return Activation::relu;
    if (name == "relu2") return Activation::relu_squared;
    if (name == "silu" || name == "swish") return Activation::silu;
    if (name == "linear") return Activation::none;
    fail(ErrorKind::unsupported,
         "{}: key {}{}: activation \"{}\" is not supported; known are gelu, gelu_new, gelu_fast, "
         "gelu_pytorch_tanh, relu, relu2, silu, swish, linear",
         file_, place_, key, name);
}

void HfConfig::require_bool(std::string_view key, bool expected) const {
    if (boolean(key, expected) != expected) {
        fail(ErrorKind::unsupported, "{}: key {}{}: {} is not supported, only {}", file_, place_, key,
             !expected, expected);
    }
}

void HfConfig::ignore(std::initializer_list<std::string_view> keys) const {
    for (auto key : keys) read_.emplace(key);
}

void HfConfig::check_all_read() const {
    for (const auto& [key, value] : json_.items()) {
        if (read_.contains(key) || is_harmless(key) || value.is_null() || value == false) continue;
        if ((value.is_object() || value.is_array()) && value.empty()) continue;
        fail(ErrorKind::unsupported, "{}: key {}{}: {} is not known here and might change the arithmetic",
             file_, place_, key, shown(value));
    }
}

namespace {

// transformers' _compute_llama3_parameters: long waves are slowed by `factor`, short ones kept, between them
// a ramp.
std::vector<float> llama3_factors(const HfConfig& scaling, std::int64_t dims, double theta) {
    const double factor = scaling.number("factor");
    const double low = scaling.number("low_freq_factor");
    const double high = scaling.number("high_freq_factor");
    const double original = static_cast<double>(scaling.size("original_max_position_embeddings"));
    if (!(factor >= 1) || !(low > 0) || !(high > low)) {
        fail(ErrorKind::corrupt,
             "{}: rope scaling llama3: expected factor >= 1 and 0 < low_freq_factor < high_freq_factor, "
             "found {}, {}, {}",
             scaling.file(), factor, low, high);
    }
    std::vector<float> factors;
    for (std::int64_t i = 0; i < dims / 2; ++i) {
        const double wave =
            2 * std::numbers::pi * std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(dims));
        if (wave < original / high) {
            factors.push_back(1);
        } else if (wave > original / low) {
            factors.push_back(static_cast<float>(factor));
        } else {
            const double smooth = (original / wave - low) / (high - low);
            factors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
        }
    }
    return factors;
}

}  // namespace

RopeConfig read_rope(const HfConfig& config, std::int64_t dims, double default_theta) {
    RopeConfig rope;
    rope.dims = static_cast<std::int32_t>(dims);
    const bool version5 = config.has("rope_parameters");
    rope.theta = config.number("rope_theta", default_theta);
    const std::string_view key = version5 ? "rope_parameters" : "rope_scaling";
    if (version5) config.has("rope_scaling");  // its older spelling says the same
    if (config.has(key)) {
        const HfConfig scaling = config.object(key);
        rope.theta = scaling.number("rope_theta", rope.theta);
        const std::string type = scaling.string("rope_type", scaling.string("type", "default"));
        if (type == "linear") {
            rope.linear_factor = scaling.number("factor");
            if (!(rope.linear_factor > 0)) {
                fail(ErrorKind::corrupt, "{}: rope scaling: expected factor > 0, found {}", config.file(),
                     rope.linear_factor);
            }
        } else if (type == "llama3") {
            rope.factors = llama3_factors(scaling, dims, rope.theta);
        } else if (type != "default") {
            fail(ErrorKind::unsupported,
                 "{}: rope scaling type \"{}\" is not supported; known are default, linear, llama3",
                 config.file(), type);
        }
        scaling.ignore({"attention_factor"});
        if (scaling.has("attention_factor")) {
            fail(ErrorKind::unsupported, "{}: rope scaling: attention_factor is not supported",
                 config.file());
        }
        if (type == "default") scaling.ignore({"factor", "original_max_position_embeddings"});
        scaling.check_all_read();
    }
    if (!(rope.theta > 0))
        fail(ErrorKind::corrupt, "{}: rope_theta: expected > 0, found {}", config.file(), rope.theta);
    return rope;
}

void check_config(const Config& c) {
    const auto check = [&](std::string_view name, std::int64_t value, std::int64_t most) {
        if (value < 1 || value > most) {
            fail(ErrorKind::corrupt, "{}: {}: expected 1 to {}, found {}", c.file, name, most, value);
        }
    };
    check("number of layers", c.n_layers, 1 << 16);
    check("width", c.dim, 1 << 20);
    check("embedding width", c.embedding_dim ? c.embedding_dim : c.dim, 1 << 20);
    check("number of heads", c.n_heads, 1 << 16);
    check("number of key/value heads", c.n_kv_heads, 1 << 16);
    check("head width", c.head_dim, 1 << 16);
    check("feed-forward width", c.ff_dim, 1 << 24);
    check("vocabulary", c.vocab_size, 1 << 28);
    check("context", c.context, std::int64_t{1} << 30);
    if (c.n_heads % c.n_kv_heads != 0) {
        fail(ErrorKind::corrupt, "{}: {} attention heads cannot share {} key/value heads: expected a divisor",
             c.file, c.n_heads, c.n_kv_heads);
    }
    if (c.n_heads * c.head_dim > (1 << 24)) {
        fail(ErrorKind::corrupt, "{}: {} heads of width {} are absurd", c.file, c.n_heads, c.head_dim);
    }
    if (c.rope.dims < 0 || c.rope.dims > c.head_dim || c.rope.dims % 2 != 0) {
        fail(ErrorKind::corrupt, "{}: rotated elements per head: expected an even number up to {}, found {}",
             c.file, c.head_dim, c.rope.dims);
    }
    if (!c.rope.factors.empty() && static_cast<std::int64_t>(c.rope.factors.size()) != c.rope.dims / 2) {
        fail(ErrorKind::corrupt, "{}: rope factors: expected {}, found {}", c.file, c.rope.dims / 2,
             c.rope.factors.size());
    }
    for (float factor : c.rope.factors) {
        if (!(factor > 0) || !std::isfinite(factor)) {
            fail(ErrorKind::corrupt, "{}: rope factor: expected > 0, found {}", c.file, factor);
        }
    }
    if (!(c.norm_eps >= 0) || !std::isfinite(c.norm_eps)) {
        fail(ErrorKind::corrupt, "{}: norm epsilon: expected >= 0, found {}", c.file, c.norm_eps);
    }
    if (!(c.rope.theta > 0) || !std::isfinite(c.rope.theta) || !(c.rope.linear_factor > 0)) {
        fail(ErrorKind::corrupt, "{}: rope: expected theta and factor > 0, found {} and {}", c.file,
             c.rope.theta, c.rope.linear_factor);
    }
    if (c.encoder_layers != 0) check("number of encoder layers", c.encoder_layers, 1 << 16);
    if (c.decoder_start < 0 || c.decoder_start >= c.vocab_size) {
        fail(ErrorKind::corrupt, "{}: the decoder's first token: expected 0 to {}, found {}", c.file,
             c.vocab_size - 1, c.decoder_start);
    }
    if (c.window < 0)
        fail(ErrorKind::corrupt, "{}: sliding window: expected >= 0, found {}", c.file, c.window);
}

}  // namespace tinyllm
