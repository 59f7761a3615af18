// The numbers of the GGUF format: value types and tensor types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tinyllm {

enum GgufValueType : std::uint32_t {
    kGgufU8 = 0,
    kGgufI8 = 1,
    kGgufU16 = 2,
    kGgufI16 = 3,
    kGgufU32 = 4,
    kGgufI32 = 5,
    kGgufF32 = 6,
    kGgufBool = 7,
    kGgufString = 8,
    kGgufArray = 9,
    kGgufU64 = 10,
    kGgufI64 = 11,
    kGgufF64 = 12,
};

constexpr std::uint32_t kGgufMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kGgufAlignment = 32;

/// A tensor type of the format, whether or not this build computes with it.
struct GgmlType {
    std::uint32_t id;
    std::string_view name;
    std::int64_t block;  // elements
    std::int64_t block_bytes;
};

/// Null for a number the format does not define.
const GgmlType* find_ggml_type(std::uint32_t id);

}  // namespace tinyllm
