// A node of a JSON file that knows where it is, so that every complaint names the file and the node.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/fail.h"

namespace tinyllm {

class JsonNode {
  public:
    JsonNode(const nlohmann::json& value, std::string file, std::string path = "")
        : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

    const nlohmann::json& value() const { return *value_; }
    /// "tokenizer.json: pre_tokenizer.pretokenizers[1]"
    std::string where() const { return file_ + ": " + (path_.empty() ? std::string("top level") : path_); }
    const std::string& file() const { return file_; }

    bool is_null() const { return value_->is_null(); }
    bool has(std::string_view key) const {
        if (!value_->is_object()) return false;
        const auto it = value_->find(key);
        return it != value_->end() && !it->is_null();
    }

    /// A null node if the key is absent.
    JsonNode get(std::string_view key) const {
        static const nlohmann::json null;
        need(value_->is_object(), "an object");
        const auto it = value_->find(key);
        return {it == value_->end() ? null : *it, file_, path_.empty() ? std::string(key) : path_ + "." + std::string(key)};
    }

    std::vector<JsonNode> items() const {
        need(value_->is_array(), "an array");
        std::vector<JsonNode> nodes;
        for (std::size_t i = 0; i < value_->size(); ++i) {
            nodes.emplace_back((*value_)[i], file_, path_ + "[" + std::to_string(i) + "]");
        }
        return nodes;
    }

    std::string string() const {
        need(value_->is_string(), "a string");
        return value_->get<std::string>();
    }
    bool boolean() const {
        need(value_->is_boolean(), "true or false");
        return value_->get<bool>();
    }
    std::int64_t integer() const {
        need(value_->is_number_integer(), "an integer");
        if (value_->is_number_unsigned() && value_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
            need(false, "a smaller integer");
        }
        return value_->get<std::int64_t>();
    }

    std::string string(std::string_view key) const { return get(key).string(); }
    bool boolean(std::string_view key) const { return get(key).boolean(); }
    bool boolean(std::string_view key, bool otherwise) const { return has(key) ? boolean(key) : otherwise; }

    void need(bool ok, std::string_view expected) const {
        if (!ok) {
            fail(ErrorKind::corrupt, "{}: expected {}, found {}", where(), expected,
                 value_->is_null() ? "nothing" : std::string(value_->type_name()));
        }
    }

    [[noreturn]] void unsupported(std::string_view what) const {
        fail(ErrorKind::unsupported, "{}: {} is not supported", where(), what);
    }

  private:
    const nlohmann::json* value_;
    std::string file_;
    std::string path_;
};

}  // namespace tinyllm
