// Access to what the parser (gguf_reader.cpp) found.
#include "engine/gguf.h"

#include "engine/fail.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

std::string_view kind_of(const GgufValue& value) {
    static constexpr std::string_view kScalars[] = {"an integer", "a number", "a bool", "a string"};
    static constexpr std::string_view kArrays[] = {"an array of integers", "an array of numbers",
                                                   "an array of strings"};
    if (const auto* array = std::get_if<GgufArray>(&value)) return kArrays[array->index()];
    return kScalars[value.index()];
}

template <typename T>
const T* array_of(const GgufFile& file, std::string_view key, std::string_view expected) {
    const GgufValue* value = file.find_value(key);
    if (value == nullptr) return nullptr;
    if (const auto* array = std::get_if<GgufArray>(value)) {
        if (const auto* elements = std::get_if<T>(array)) return elements;
    }
    fail(ErrorKind::corrupt, "{}: key {}: expected an array of {}, found {}", file.path(), key, expected,
         kind_of(*value));
}

[[noreturn]] void wrong_kind(const GgufFile& file, std::string_view key, std::string_view expected,
                             const GgufValue* value) {
    fail(ErrorKind::corrupt, "{}: key {}: expected {}, found {}", file.path(), key, expected,
         value == nullptr ? "nothing" : kind_of(*value));
}

}  // namespace

const std::string& GgufFile::path() const {
    return file_.path();
}

std::uint32_t GgufFile::version() const {
    return version_;
}

const std::vector<std::pair<std::string, GgufValue>>& GgufFile::metadata() const {
    return metadata_;
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
    for (const auto& [name, value] : metadata_) {
        if (name == key) return &value;
    }
    return nullptr;
}

std::span<const std::byte> GgufFile::encoded(std::string_view key) const {
    for (std::size_t i = 0; i < metadata_.size(); ++i) {
        if (metadata_[i].first == key) return encoded_[i];
    }
    return {};
}

std::int64_t GgufFile::integer(std::string_view key, std::optional<std::int64_t> otherwise) const {
    const GgufValue* value = find_value(key);
    if (value == nullptr && otherwise) return *otherwise;
    if (value != nullptr && std::holds_alternative<std::int64_t>(*value)) {
        return std::get<std::int64_t>(*value);
    }
    wrong_kind(*this, key, "an integer", value);
}

double GgufFile::number(std::string_view key, std::optional<double> otherwise) const {
    const GgufValue* value = find_value(key);
    if (value == nullptr && otherwise) return *otherwise;
    if (value != nullptr && std::holds_alternative<double>(*value)) return std::get<double>(*value);
    if (value != nullptr && std::holds_alternative<std::int64_t>(*value)) {
        return static_cast<double>(std::get<std::int64_t>(*value));
    }
    wrong_kind(*this, key, "a number", value);
}

bool GgufFile::boolean(std::string_view key, std::optional<bool> otherwise) const {
    const GgufValue* value = find_value(key);
    if (value == nullptr && otherwise) return *otherwise;
    if (value != nullptr && std::holds_alternative<bool>(*value)) return std::get<bool>(*value);
    wrong_kind(*this, key, "a bool", value);
}

std::string GgufFile::string(std::string_view key, std::optional<std::string> otherwise) const {
    const GgufValue* value = find_value(key);
    if (value == nullptr && otherwise) return *otherwise;
    if (value != nullptr && std::holds_alternative<std::string_view>(*value)) {
        return std::string(std::get<std::string_view>(*value));
    }
    wrong_kind(*this, key, "a string", value);
}

const GgufStrings* GgufFile::strings(std::string_view key) const {
    return array_of<GgufStrings>(*this, key, "strings");
}

const GgufIntegers* GgufFile::integers(std::string_view key) const {
    return array_of<GgufIntegers>(*this, key, "integers");
}

const GgufFloats* GgufFile::numbers(std::string_view key) const {
    return array_of<GgufFloats>(*this, key, "numbers");
}

std::span<const TensorView> GgufFile::tensors() const {
    return tensors_;
}

void GgufFile::release_metadata() const {
    if (encoded_.empty()) return;
    const std::byte* begin = encoded_.front().data();
    const std::span<const std::byte> last = encoded_.back();
    file_.release({begin, static_cast<std::size_t>(last.data() + last.size() - begin)});
}

void GgufFile::release(const TensorView&, std::span<const std::byte> part) const {
    file_.release(part);
}

}  // namespace tinyllm
