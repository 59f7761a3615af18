#include "tools/eval/row.h"

#include <algorithm>
#include <cctype>

#include "engine/fail.h"

namespace tinyllm::eval {

std::string describe(const Json& value) {
    constexpr std::size_t kShown = 40;
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > kShown) {
        std::size_t end = kShown;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
        text = text.substr(0, end) + "...";
    }
    return std::string(value.type_name()) + " " + text;
}

void Row::bad(const std::string& field, const std::string& expected, const std::string& found) const {
    fail(ErrorKind::corrupt, "{}: field \"{}\": expected {}, found {}", place, field, expected, found);
}

const std::string& Row::text(const char* key) const {
    auto found = json.find(key);
    if (found == json.end()) bad(key, "a string", "no such field");
    if (!found->is_string()) bad(key, "a string", describe(*found));
    return found->get_ref<const std::string&>();
}

std::string Row::text_or_number(const char* key) const {
    auto found = json.find(key);
    if (found != json.end() && found->is_number_integer()) return found->dump();
    return text(key);
}

std::int64_t Row::label(const char* key, std::int64_t first, std::int64_t count) const {
    const std::string expected = fmt::format("a label in {}..{}", first, first + count - 1);
    Json value;
    if (!answer.empty()) {
        value = answer;
    } else if (has(key)) {
        value = json.at(key);
    } else {
        bad(key, expected + " (or a labels file)", "no such field");
    }
    std::int64_t number = first - 1;
    if (value.is_boolean()) {
        number = value.get<bool>() ? 1 : 0;
    } else if (value.is_number_integer()) {
        number = value.is_number_unsigned() && value.get<std::uint64_t>() > 1000 ? first - 1
                                                                                 : value.get<std::int64_t>();
    } else if (value.is_string()) {
        std::string word = value.get<std::string>();
        std::transform(word.begin(), word.end(), word.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (word == "true" || word == "false") {
            number = word == "true" ? 1 : 0;
        } else if (!word.empty() && word.size() <= 3 &&
                   word.find_first_not_of("0123456789") == std::string::npos) {
            number = std::stol(word);
        }
    }
    if (number < first || number >= first + count) {
        if (!answer.empty())
            fail(ErrorKind::corrupt, "{}: expected {}, found {}", answer_place, expected, describe(value));
        bad(key, expected, describe(value));
    }
    return number;
}

std::vector<std::string> Row::texts(const char* key, std::size_t count) const {
    const std::string expected =
        count ? fmt::format("a list of {} strings", count) : std::string("a list of strings");
    auto found = json.find(key);
    if (found == json.end()) bad(key, expected, "no such field");
    if (!found->is_array()) bad(key, expected, describe(*found));
    if (count && found->size() != count) bad(key, expected, fmt::format("a list of {}", found->size()));
    std::vector<std::string> result;
    for (const Json& item : *found) {
        if (!item.is_string()) bad(key, expected, describe(item));
        result.push_back(item.get<std::string>());
    }
    return result;
}

namespace {

std::string label_text(const Row& row, const Json& value) {
    if (value.is_number_integer()) return value.dump();
    if (!value.is_string()) row.bad("choices.label", "a string", describe(value));
    return value.get<std::string>();
}

}  // namespace

Choices Row::choices(const Json& holder) const {
    auto found = holder.is_object() ? holder.find("choices") : holder.end();
    if (found == holder.end()) bad("choices", "a list or object of choices", "no such field");
    Choices result;
    if (found->is_array()) {
        for (const Json& item : *found) {
            if (!item.is_object() || !item.contains("text") || !item.contains("label"))
                bad("choices", "objects with text and label", describe(item));
            if (!item.at("text").is_string()) bad("choices.text", "a string", describe(item.at("text")));
            result.texts.push_back(item.at("text").get<std::string>());
            result.labels.push_back(label_text(*this, item.at("label")));
        }
    } else if (found->is_object() && found->contains("text") && found->contains("label") &&
               found->at("text").is_array() && found->at("label").is_array()) {
        for (const Json& item : found->at("text")) {
            if (!item.is_string()) bad("choices.text", "a string", describe(item));
            result.texts.push_back(item.get<std::string>());
        }
        for (const Json& item : found->at("label")) result.labels.push_back(label_text(*this, item));
    } else {
        bad("choices", "a list of {text, label} or an object of lists", describe(*found));
    }
    if (result.texts.size() != result.labels.size())
        bad("choices", "as many labels as texts",
            fmt::format("{} texts, {} labels", result.texts.size(), result.labels.size()));
    if (result.texts.size() < 2) bad("choices", "at least 2 choices", fmt::format("{}", result.texts.size()));
    return result;
}

}  // namespace tinyllm::eval
