// Element types of tensors, weights and caches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tinyllm/export.h"

namespace tinyllm {

/// The values are the type numbers of the GGUF format; those from 7400 on are our own, which other programs
/// refuse (docs/files.md).
enum class DType : std::uint32_t {
    f32 = 0,
    f16 = 1,
    q4_0 = 2,
    q4_1 = 3,
    q5_0 = 6,
    q5_1 = 7,
    q8_0 = 8,
    q2_k = 10,
    q3_k = 11,
    q4_k = 12,
    q5_k = 13,
    q6_k = 14,
    iq4_nl = 20,
    bf16 = 30,
    t3_64 = 7403,
    t4_64 = 7404,
};

/// The command's spelling: "f32", "q8_0", "q4_k".
TINYLLM_API std::string_view dtype_name(DType type);

/// The type spelled `name` in any case; nothing if there is none.
TINYLLM_API std::optional<DType> dtype_from_name(std::string_view name);

/// Every type this build can read and compute with, widest first.
TINYLLM_API const std::vector<DType>& all_dtypes();

/// Bytes of a row of `n` elements; `n` must be a multiple of dtype_block(type).
TINYLLM_API std::size_t row_bytes(DType type, std::int64_t n);

/// Elements that share one block: 1 for the plain types, 256 for the K types, 64 for our own, 32 for the
/// other quantized ones.
TINYLLM_API std::int64_t dtype_block(DType type);

}  // namespace tinyllm
