// Arrays of a GGUF file, read where they lie in the mapped file: a vocabulary's would take several times the
// file's bytes as vectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <variant>

#include "engine/gguf_types.h"

namespace tinyllm {

/// Numbers of one of the format's types, read as T: int64 for integers and bools, double for floats.
template <typename T>
class GgufNumbers {
  public:
    /// `bytes` holds the elements and nothing else.
    GgufNumbers(GgufValueType type, std::size_t size, std::span<const std::byte> bytes)
        : type_(type), size_(size), data_(bytes.data()) {}

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T operator[](std::size_t i) const;

  private:
    template <typename Stored>
    T at(std::size_t i) const {
        Stored value;
        std::memcpy(&value, data_ + i * sizeof(Stored), sizeof(Stored));
        return static_cast<T>(value);
    }
    GgufValueType type_;
    std::size_t size_;
    const std::byte* data_;
};

template <>
inline double GgufNumbers<double>::operator[](std::size_t i) const {
    return type_ == kGgufF32 ? at<float>(i) : at<double>(i);
}

template <>
inline std::int64_t GgufNumbers<std::int64_t>::operator[](std::size_t i) const {
    switch (type_) {
        case kGgufU8:
        case kGgufBool:
            return at<std::uint8_t>(i);
        case kGgufI8:
            return at<std::int8_t>(i);
        case kGgufU16:
            return at<std::uint16_t>(i);
        case kGgufI16:
            return at<std::int16_t>(i);
        case kGgufU32:
            return at<std::uint32_t>(i);
        case kGgufI32:
            return at<std::int32_t>(i);
        default:  // none of kGgufU64 is larger than an int64: the parser saw to it
            return at<std::int64_t>(i);
    }
}

/// Strings, each behind its length; read one after the other.
class GgufStrings {
  public:
    /// `bytes` holds `size` of them and nothing else.
    GgufStrings(std::size_t size, std::span<const std::byte> bytes) : size_(size), bytes_(bytes) {}

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::span<const std::byte> bytes() const { return bytes_; }

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const std::string_view*;
        using reference = std::string_view;

        Iterator() = default;
        explicit Iterator(std::span<const std::byte> left) : left_(left) {}
        std::string_view operator*() const {
            return {reinterpret_cast<const char*>(left_.data()) + kLength, length()};
        }
        Iterator& operator++() {
            left_ = left_.subspan(std::min(left_.size(), kLength + length()));
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++*this;
            return before;
        }
        /// Of iterators into the same array.
        bool operator==(const Iterator& other) const { return left_.size() == other.left_.size(); }

      private:
        static constexpr std::size_t kLength = sizeof(std::uint64_t);
        /// Never beyond the array, even if somebody writes into the file behind the parser's back.
        std::size_t length() const {
            if (left_.size() < kLength) return 0;
            std::uint64_t value;
            std::memcpy(&value, left_.data(), kLength);
            return static_cast<std::size_t>(std::min<std::uint64_t>(value, left_.size() - kLength));
        }
        std::span<const std::byte> left_;
    };
    Iterator begin() const { return Iterator(bytes_); }
    Iterator end() const { return Iterator(bytes_.last(0)); }

  private:
    std::size_t size_;
    std::span<const std::byte> bytes_;
};

using GgufIntegers = GgufNumbers<std::int64_t>;
using GgufFloats = GgufNumbers<double>;
using GgufArray = std::variant<GgufIntegers, GgufFloats, GgufStrings>;

}  // namespace tinyllm
