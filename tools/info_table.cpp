#include "tools/info_table.h"

#include <fmt/format.h>

#include "tools/board.h"

namespace tinyllm {
namespace {

bool ends_with(const std::string& text, const std::string& tail) {
    return text.size() >= tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

std::string leaf(const std::string& key, const Json& value) {
    if (value.is_null() && key.rfind("sensors.", 0) == 0) return "not measured";
    if (value.is_null()) return ends_with(key, "quota_cpus") ? "none" : "not known";
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number_integer() &&
        (ends_with(key, "_bytes") || key.find("memory_bytes.") != std::string::npos))
        return show_bytes(value.get<std::int64_t>());
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    return dump_json(value);
}

void flatten(const std::string& key, const Json& value, Table& table) {
    const auto child = [&](const std::string& name) { return key.empty() ? name : key + "." + name; };
    if (value.is_object()) {
        for (const auto& item : value.items()) flatten(child(item.key()), item.value(), table);
    } else if (value.is_array() && !value.empty() && value.front().is_object()) {
        for (std::size_t i = 0; i < value.size(); ++i) flatten(child(std::to_string(i)), value[i], table);
    } else {
        table.rows.push_back({{"key", key}, {"value", leaf(key, value)}});
    }
}

}  // namespace

void deliver_document(const OutputOptions& options, const Json& document) {
    if (options.format == Format::json) return deliver(options, dump_json_pretty(document) + '\n');
    if (options.format == Format::jsonl) return deliver(options, dump_json(document) + '\n');
    Table table{.columns = {{"key", ""}, {"value", ""}}, .rows = {}};
    for (const auto& item : document.items()) {
        if (item.key() != "schema") flatten(item.key(), item.value(), table);
    }
    deliver(options, render(table, options.format));
}

}  // namespace tinyllm
