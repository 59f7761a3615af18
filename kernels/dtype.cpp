// The public face of the type table.
#include "tinyllm/dtype.h"

#include <cassert>

#include "kernels/quant.h"

namespace tinyllm {

std::string_view dtype_name(DType type) {
    return traits(type).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
    for (const TypeTraits& row : type_table()) {
        bool same = row.name.size() == name.size();
        for (std::size_t i = 0; same && i < name.size(); ++i) {
            char c = name[i];
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
            same = c == row.name[i];
        }
        if (same) return row.type;
    }
    return std::nullopt;
}

const std::vector<DType>& all_dtypes() {
    static const std::vector<DType> all = [] {
        std::vector<DType> types;
        for (const TypeTraits& row : type_table()) types.push_back(row.type);
        return types;
    }();
    return all;
}

std::size_t row_bytes(DType type, std::int64_t n) {
    const TypeTraits& row = traits(type);
    assert(n >= 0 && n % row.block == 0);
    return static_cast<std::size_t>(n / row.block) * row.block_bytes;
}

std::int64_t dtype_block(DType type) {
    return traits(type).block;
}

}  // namespace tinyllm
