// config.json with every read key marked, so that a key which nobody read and nobody knows as harmless can be
// refused: it may change the arithmetic.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "kernels/backend.h"

namespace tinyllm {

struct RopeConfig;

class HfConfig {
  public:
    /// `json` must outlive this. `file` and `place` ("rope_scaling.") are for messages.
    HfConfig(const nlohmann::json& json, std::string file, std::string place = "");

    const std::string& file() const { return file_; }

    /// Whether the key stands there at all, null included: transformers gives absent keys its class's
    /// default. Marks it as read.
    bool contains(std::string_view key) const;
    /// Present and not null. Marks the key as read.
    bool has(std::string_view key) const;

    /// Typed access; absent or null gives `otherwise`. Throws Error(corrupt) naming key, expected and found.
    std::int64_t size(std::string_view key,
                      std::optional<std::int64_t> otherwise = {}) const;  ///< 1 … 2^31 - 1
    std::int64_t integer(std::string_view key, std::optional<std::int64_t> otherwise = {}) const;
    double number(std::string_view key, std::optional<double> otherwise = {}) const;  ///< finite
    bool boolean(std::string_view key, std::optional<bool> otherwise = {}) const;
    std::string string(std::string_view key, std::optional<std::string> otherwise = {}) const;
    HfConfig object(std::string_view key) const;

    /// The activation transformers' ACT2FN has under the key's value. Throws Error(unsupported) naming
    /// another.
    Activation activation(std::string_view key, std::string_view otherwise) const;

    /// Throws Error(unsupported) naming key and value unless the key is absent, null or `expected`.
    void require_bool(std::string_view key, bool expected) const;

    /// Keys an architecture knows to be without effect on the arithmetic.
    void ignore(std::initializer_list<std::string_view> keys) const;

    /// Throws Error(unsupported) naming the first key that was not read, is not known as harmless, and is not
    /// null, false or empty.
    void check_all_read() const;

  private:
    const nlohmann::json* find(std::string_view key) const;
    [[noreturn]] void wrong_type(std::string_view key, std::string_view expected) const;

    const nlohmann::json& json_;
    std::string file_;
    std::string place_;
    mutable std::set<std::string, std::less<>> read_;
};

/// rope_theta, rope_scaling (both spellings of its type) and transformers 5's rope_parameters; `dims`
/// elements are rotated. Types default, linear and llama3; others throw Error(unsupported).
RopeConfig read_rope(const HfConfig& config, std::int64_t dims, double default_theta);

}  // namespace tinyllm
