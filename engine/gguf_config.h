// The keys "<architecture>.*" of a GGUF file with every read key marked, so that one which nobody read can be
// refused.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/gguf.h"
#include "kernels/backend.h"

namespace tinyllm {

class GgufConfig {
  public:
    GgufConfig(const GgufFile& file, std::string_view architecture)
        : file_(file), prefix_(std::string(architecture) + ".") {}

    const GgufFile& file() const { return file_; }
    std::string_view architecture() const { return std::string_view(prefix_).substr(0, prefix_.size() - 1); }

    /// `key` without the architecture's prefix. Absent gives `otherwise`; without one, Error(corrupt).
    bool has(std::string_view key) const;
    std::int64_t size(std::string_view key,
                      std::optional<std::int64_t> otherwise = {}) const;  ///< 1 … 2^31 - 1
    std::int64_t integer(std::string_view key, std::optional<std::int64_t> otherwise = {}) const;
    double number(std::string_view key, std::optional<double> otherwise = {}) const;
    bool boolean(std::string_view key, std::optional<bool> otherwise = {}) const;
    std::string string(std::string_view key, std::optional<std::string> otherwise = {}) const;
    /// Our own key "activation": gelu, gelu_tanh, relu, relu_squared, silu, none.
    Activation activation(Activation otherwise) const;

    /// Entries of the vocabulary: the architecture's key, else the tokenizer's list, else the embedding's
    /// rows.
    std::int64_t vocab_size() const;

    void ignore(std::initializer_list<std::string_view> keys) const;
    /// Throws Error(unsupported) naming the first key of the architecture that nobody read, unless it is 0,
    /// false or empty.
    void check_all_read() const;

  private:
    std::string mark(std::string_view key) const;

    const GgufFile& file_;
    std::string prefix_;
    mutable std::set<std::string, std::less<>> read_;
};

/// The spelling of our own key.
std::string_view activation_name(Activation activation);

}  // namespace tinyllm
