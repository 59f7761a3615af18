#include "tokenizers/json_node.h"

#include <nlohmann/json.hpp>

#include "engine/fail.h"
#include "engine/printable.h"

namespace tinyllm {

using nlohmann::json;

bool JsonNode::is_null() const {
    return value_->is_null();
}

bool JsonNode::has(std::string_view key) const {
    if (!value_->is_object()) return false;
    const auto it = value_->find(key);
    return it != value_->end() && !it->is_null();
}

JsonNode JsonNode::get(std::string_view key) const {
    static const json null;
    need(value_->is_object(), "an object");
    const auto it = value_->find(key);
    std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
    return {it == value_->end() ? null : *it, file_, std::move(path)};
}

std::vector<JsonNode> JsonNode::items() const {
    need(value_->is_array(), "an array");
    std::vector<JsonNode> nodes;
    for (std::size_t i = 0; i < value_->size(); ++i) {
        nodes.emplace_back((*value_)[i], file_, path_ + "[" + std::to_string(i) + "]");
    }
    return nodes;
}

std::string JsonNode::string() const {
    need(value_->is_string(), "a string");
    return value_->get<std::string>();
}

bool JsonNode::boolean() const {
    need(value_->is_boolean(), "true or false");
    return value_->get<bool>();
}

std::int64_t JsonNode::integer() const {
    need(value_->is_number_integer(), "an integer");
    if (value_->is_number_unsigned())
        need(value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX), "a smaller integer");
    return value_->get<std::int64_t>();
}

double JsonNode::number() const {
    need(value_->is_number(), "a number");
    return value_->get<double>();
}

void JsonNode::need(bool ok, std::string_view expected) const {
    if (!ok) {
        fail(ErrorKind::corrupt, "{}: expected {}, found {}", where(), expected,
             value_->is_null() ? "nothing" : std::string(value_->type_name()));
    }
}

void JsonNode::unsupported(std::string_view what) const {
    fail(ErrorKind::unsupported, "{}: {} is not supported", where(), printable(what, 300));
}

}  // namespace tinyllm
