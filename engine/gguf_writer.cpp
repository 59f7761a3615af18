// Writing GGUF v3. The header is computed from shapes and types first, then tensors stream behind it one at a
// time.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/gguf_types.h"
#include "engine/output_file.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

template <typename T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void append_string(std::string& out, std::string_view text) {
    append(out, static_cast<std::uint64_t>(text.size()));
    out.append(text);
}

template <typename T>
std::string scalar(T value) {
    std::string out;
    append(out, value);
    return out;
}

std::string array_head(std::uint32_t type, std::size_t n) {
    std::string out;
    append(out, type);
    append(out, static_cast<std::uint64_t>(n));
    return out;
}

template <typename T>
std::string array(std::uint32_t type, const std::vector<T>& values) {
    std::string out = array_head(type, values.size());
    out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    return out;
}

std::int64_t padded(std::int64_t n) {
    return (n + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

std::int64_t tensor_bytes(DType type, const std::vector<std::int64_t>& shape) {
    const std::int64_t cols = shape.empty() ? 1 : shape.back();
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    return rows * static_cast<std::int64_t>(row_bytes(type, cols));
}

}  // namespace

void GgufWriter::set(std::string key, std::uint32_t type, std::string encoded) {
    std::string value = scalar(type) + encoded;
    const auto same =
        std::find_if(values_.begin(), values_.end(), [&](const auto& v) { return v.first == key; });
    if (same != values_.end()) {
        same->second = std::move(value);
    } else {
        values_.emplace_back(std::move(key), std::move(value));
    }
}

void GgufWriter::set_u32(std::string key, std::uint32_t value) {
    set(std::move(key), kGgufU32, scalar(value));
}
void GgufWriter::set_i32(std::string key, std::int32_t value) {
    set(std::move(key), kGgufI32, scalar(value));
}
void GgufWriter::set_u64(std::string key, std::uint64_t value) {
    set(std::move(key), kGgufU64, scalar(value));
}
void GgufWriter::set_f32(std::string key, float value) {
    set(std::move(key), kGgufF32, scalar(value));
}
void GgufWriter::set_bool(std::string key, bool value) {
    set(std::move(key), kGgufBool, scalar(static_cast<std::uint8_t>(value ? 1 : 0)));
}
void GgufWriter::set_string(std::string key, std::string value) {
    std::string encoded;
    append_string(encoded, value);
    set(std::move(key), kGgufString, std::move(encoded));
}
void GgufWriter::set_strings(std::string key, std::vector<std::string> values) {
    std::string encoded = array_head(kGgufString, values.size());
    for (const std::string& value : values) append_string(encoded, value);
    set(std::move(key), kGgufArray, std::move(encoded));
}
void GgufWriter::set_i32s(std::string key, std::vector<std::int32_t> values) {
    set(std::move(key), kGgufArray, array(kGgufI32, values));
}
void GgufWriter::set_f32s(std::string key, std::vector<float> values) {
    set(std::move(key), kGgufArray, array(kGgufF32, values));
}
void GgufWriter::set_f64s(std::string key, const std::vector<double>& values) {
    set(std::move(key), kGgufArray, array(kGgufF64, values));
}
void GgufWriter::set_bytes(std::string key, std::string_view values) {
    set(std::move(key), kGgufArray, array_head(kGgufU8, values.size()).append(values));
}

void GgufWriter::copy(const GgufFile& from, std::string_view key) {
    const std::span<const std::byte> stored = from.encoded(key);
    if (stored.empty()) {
        fail(ErrorKind::corrupt, "{}: key {}: expected a value, found nothing", from.path(), printable(key));
    }
    std::uint32_t type = 0;
    std::memcpy(&type, stored.data(), sizeof(type));
    set(std::string(key), type,
        std::string(reinterpret_cast<const char*>(stored.data()) + sizeof(type),
                    stored.size() - sizeof(type)));
}

void GgufWriter::add_tensor(std::string name, DType type, std::vector<std::int64_t> shape,
                            std::function<std::vector<std::byte>()> produce) {
    tensors_.push_back({std::move(name), type, std::move(shape), std::move(produce)});
}

std::string GgufWriter::head() const {
    std::string out;
    append(out, kGgufMagic);
    append(out, std::uint32_t{3});
    append(out, static_cast<std::uint64_t>(tensors_.size()));
    append(out, static_cast<std::uint64_t>(values_.size()));
    for (const auto& [key, value] : values_) {
        append_string(out, key);
        out += value;
    }
    std::int64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
        append_string(out, tensor.name);
        append(out, static_cast<std::uint32_t>(tensor.shape.size()));
        for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) {
            append(out, static_cast<std::uint64_t>(*dim));
        }
        append(out, static_cast<std::uint32_t>(tensor.type));
        append(out, static_cast<std::uint64_t>(offset));
        offset += padded(tensor_bytes(tensor.type, tensor.shape));
    }
    out.resize(static_cast<std::size_t>(padded(static_cast<std::int64_t>(out.size()))), '\0');
    return out;
}

std::int64_t GgufWriter::file_bytes() const {
    auto bytes = static_cast<std::int64_t>(head().size());
    for (const Tensor& tensor : tensors_) bytes += padded(tensor_bytes(tensor.type, tensor.shape));
    return bytes;
}

std::int64_t GgufWriter::write(const std::string& path) {
    OutputFile file(path);
    const std::string start = head();
    file.write(std::as_bytes(std::span(start)));
    for (const Tensor& tensor : tensors_) {
        const std::vector<std::byte> data = tensor.produce();
        const std::int64_t want = tensor_bytes(tensor.type, tensor.shape);
        if (static_cast<std::int64_t>(data.size()) != want) {
            throw std::logic_error("GgufWriter: tensor " + tensor.name + " has the wrong number of bytes");
        }
        file.write(data);
        const std::byte padding[kGgufAlignment] = {};
        file.write({padding, static_cast<std::size_t>(padded(want) - want)});
    }
    file.commit();
    return file_bytes();
}

}  // namespace tinyllm
