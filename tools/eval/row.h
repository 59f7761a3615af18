// One row of a data file: its JSON and where it stands, so that every complaint names the place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/json_text.h"

namespace tinyllm::eval {

using tinyllm::Json;

/// The answer choices of ARC and OpenBookQA rows.
struct Choices {
    std::vector<std::string> texts, labels;
};

struct Row {
    Json json;
    std::string place;              // "dev.jsonl:12"
    std::string answer;             // the row's line of the labels file; empty when the file has none
    std::string answer_place = "";  // "dev-labels.lst:12"

    bool has(const char* key) const { return json.contains(key); }

    /// The string under `key`. Throws Error(corrupt): place, field, expected, found.
    const std::string& text(const char* key) const;

    /// A string or whole number under `key`, as text.
    std::string text_or_number(const char* key) const;

    /// A choice number from the labels file, else under `key`: whole number, boolean, "true", "False" or
    /// digits. Must lie in [first, first + count).
    std::int64_t label(const char* key, std::int64_t first, std::int64_t count) const;

    /// Strings under `key`, exactly `count` of them unless `count` is 0.
    std::vector<std::string> texts(const char* key, std::size_t count) const;

    /// Choices as a list of {text, label} or as {text: [...], label: [...]}, from `holder` (the row or its
    /// "question").
    Choices choices(const Json& holder) const;

    /// Throws Error(corrupt): "place: field: expected ..., found ...".
    [[noreturn]] void bad(const std::string& field, const std::string& expected,
                          const std::string& found) const;
};

/// A short description of a value for messages: its type and the start of its text.
std::string describe(const Json& value);

}  // namespace tinyllm::eval
