#include "engine/gguf_config.h"

#include <limits>
#include <utility>

#include "engine/fail.h"

namespace tinyllm {
namespace {

constexpr std::pair<Activation, std::string_view> kActivations[] = {
    {Activation::none, "none"},           {Activation::relu, "relu"},
    {Activation::silu, "silu"},           {Activation::gelu, "gelu"},
    {Activation::gelu_tanh, "gelu_tanh"}, {Activation::relu_squared, "relu_squared"},
};

bool is_empty(const GgufValue& value) {
    if (const auto* i = std::get_if<std::int64_t>(&value)) return *i == 0;
    if (const auto* d = std::get_if<double>(&value)) return *d == 0;
    if (const auto* b = std::get_if<bool>(&value)) return !*b;
    if (const auto* s = std::get_if<std::string_view>(&value)) return s->empty();
    return std::visit([](const auto& array) { return array.empty(); }, std::get<GgufArray>(value));
}

}  // namespace

std::string_view activation_name(Activation activation) {
    for (const auto& [value, name] : kActivations) {
        if (value == activation) return name;
    }
    return "none";
}

std::string GgufConfig::mark(std::string_view key) const {
    read_.emplace(key);
    return prefix_ + std::string(key);
}

bool GgufConfig::has(std::string_view key) const {
    return file_.find_value(mark(key)) != nullptr;
}

std::int64_t GgufConfig::integer(std::string_view key, std::optional<std::int64_t> otherwise) const {
    return file_.integer(mark(key), otherwise);
}

std::int64_t GgufConfig::size(std::string_view key, std::optional<std::int64_t> otherwise) const {
    const std::int64_t value = integer(key, otherwise);
    if (value < 1 || value > std::numeric_limits<std::int32_t>::max()) {
        fail(ErrorKind::corrupt, "{}: key {}{}: expected 1 to 2147483647, found {}", file_.path(), prefix_,
             key, value);
    }
    return value;
}

double GgufConfig::number(std::string_view key, std::optional<double> otherwise) const {
    return file_.number(mark(key), otherwise);
}

bool GgufConfig::boolean(std::string_view key, std::optional<bool> otherwise) const {
    return file_.boolean(mark(key), otherwise);
}

std::string GgufConfig::string(std::string_view key, std::optional<std::string> otherwise) const {
    return file_.string(mark(key), std::move(otherwise));
}

Activation GgufConfig::activation(Activation otherwise) const {
    const std::string name = string("activation", std::string(activation_name(otherwise)));
    for (const auto& [value, known] : kActivations) {
        if (name == known) return value;
    }
    fail(ErrorKind::unsupported, "{}: key {}activation: \"{}\" is not supported", file_.path(), prefix_,
         name);
}

std::int64_t GgufConfig::vocab_size() const {
    if (has("vocab_size")) return size("vocab_size");
    if (const auto* tokens = file_.strings("tokenizer.ggml.tokens"); tokens && !tokens->empty()) {
        return static_cast<std::int64_t>(tokens->size());
    }
    const TensorView* embedding = file_.find("token_embd.weight");
    if (!embedding || embedding->shape.size() != 2) {
        fail(ErrorKind::corrupt,
             "{}: neither {}vocab_size nor tokenizer.ggml.tokens nor token_embd.weight tells the vocabulary",
             file_.path(), prefix_);
    }
    return embedding->shape[0];
}

void GgufConfig::ignore(std::initializer_list<std::string_view> keys) const {
    for (auto key : keys) read_.emplace(key);
}

void GgufConfig::check_all_read() const {
    for (const auto& [key, value] : file_.metadata()) {
        if (!key.starts_with(prefix_) || is_empty(value) || read_.contains(key.substr(prefix_.size())))
            continue;
        fail(ErrorKind::unsupported, "{}: key {} is not known here and might change the arithmetic",
             file_.path(), key);
    }
}

}  // namespace tinyllm
