// GGUF v2 and v3, little-endian: reading and writing.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/gguf_array.h"
#include "engine/mapped_file.h"
#include "engine/tensor_source.h"

namespace tinyllm {

/// Integers of every width are held as int64 (uint64 above INT64_MAX is refused), f32 and f64 as double.
using GgufValue = std::variant<std::int64_t, double, bool, std::string_view, GgufArray>;

/// Strings, arrays and tensors view the mapped file.
class GgufFile : public TensorSource {
  public:
    explicit GgufFile(const std::string& path);

    const std::string& path() const;
    std::uint32_t version() const;
    /// In file order.
    const std::vector<std::pair<std::string, GgufValue>>& metadata() const;
    const GgufValue* find_value(std::string_view key) const;

    /// Typed access. The one-argument forms throw Error(corrupt) naming key, expected and found type; absent
    /// keys throw unless a default is given.
    std::int64_t integer(std::string_view key, std::optional<std::int64_t> otherwise = {}) const;
    double number(std::string_view key, std::optional<double> otherwise = {}) const;
    bool boolean(std::string_view key, std::optional<bool> otherwise = {}) const;
    std::string string(std::string_view key, std::optional<std::string> otherwise = {}) const;
    /// Null if absent.
    const GgufStrings* strings(std::string_view key) const;
    const GgufIntegers* integers(std::string_view key) const;
    const GgufFloats* numbers(std::string_view key) const;
    /// Type and value as stored; empty if absent.
    std::span<const std::byte> encoded(std::string_view key) const;

    /// Drops the pages that hold the metadata; they are read again where they are asked for.
    void release_metadata() const;

    std::span<const TensorView> tensors() const override;
    void release(const TensorView& tensor, std::span<const std::byte> part) const override;

  private:
    MappedFile file_;
    std::uint32_t version_ = 0;
    std::vector<std::pair<std::string, GgufValue>> metadata_;
    std::vector<std::span<const std::byte>> encoded_;  // of metadata_
    std::vector<TensorView> tensors_;
};

/// Collects metadata and tensor descriptions, then writes a v3 file. Tensor data is asked for one tensor at a
/// time, so that memory stays at one tensor. The file appears under its name only when it is complete.
class GgufWriter {
  public:
    void set_u32(std::string key, std::uint32_t value);
    void set_i32(std::string key, std::int32_t value);
    void set_u64(std::string key, std::uint64_t value);
    void set_f32(std::string key, float value);
    void set_bool(std::string key, bool value);
    void set_string(std::string key, std::string value);
    void set_strings(std::string key, std::vector<std::string> values);
    void set_i32s(std::string key, std::vector<std::int32_t> values);
    void set_f32s(std::string key, std::vector<float> values);
    void set_f64s(std::string key, const std::vector<double>& values);
    void set_bytes(std::string key, std::string_view values);  ///< as an array of u8
    /// Copies a value as read, keeping its stored width.
    void copy(const GgufFile& from, std::string_view key);

    /// `shape` outermost first. `produce` returns exactly the tensor's bytes.
    void add_tensor(std::string name, DType type, std::vector<std::int64_t> shape,
                    std::function<std::vector<std::byte>()> produce);

    /// Bytes of the file that write() would make.
    std::int64_t file_bytes() const;

    /// Returns file_bytes(). Throws Error(runtime) with the path and the system's reason (full disk, no
    /// permission).
    std::int64_t write(const std::string& path);

  private:
    struct Tensor {
        std::string name;
        DType type;
        std::vector<std::int64_t> shape;
        std::function<std::vector<std::byte>()> produce;
    };
    void set(std::string key, std::uint32_t type, std::string encoded);
    std::string head() const;                                  // all before the first tensor's data
    std::vector<std::pair<std::string, std::string>> values_;  // key, type + value as the file holds them
    std::vector<Tensor> tensors_;
};

}  // namespace tinyllm
