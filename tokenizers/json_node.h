// A node of a JSON file that knows where it is, so that every complaint names the file and the node.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tinyllm {

class JsonNode {
  public:
    JsonNode(const nlohmann::json& value, std::string file, std::string path = "")
        : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

    /// "tokenizer.json: pre_tokenizer.pretokenizers[1]"
    std::string where() const { return file_ + ": " + (path_.empty() ? std::string("top level") : path_); }

    bool is_null() const;
    bool has(std::string_view key) const;      ///< present and not null
    JsonNode get(std::string_view key) const;  ///< a null node if the key is absent
    std::vector<JsonNode> items() const;       ///< of an array

    /// The value, or Error(corrupt) naming the node, what was expected and what was found.
    std::string string() const;
    bool boolean() const;
    std::int64_t integer() const;
    double number() const;

    std::string string(std::string_view key) const { return get(key).string(); }
    bool boolean(std::string_view key) const { return get(key).boolean(); }
    bool boolean(std::string_view key, bool otherwise) const { return has(key) ? boolean(key) : otherwise; }

    void need(bool ok, std::string_view expected) const;
    [[noreturn]] void unsupported(std::string_view what) const;

  private:
    const nlohmann::json* value_;
    std::string file_;
    std::string path_;
};

}  // namespace tinyllm
