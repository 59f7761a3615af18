#include "kernels/ref/matrix.h"

#include <cassert>
#include <cstring>
#include <new>
#include <string>

#include "kernels/quant.h"
#include "tinyllm/error.h"

namespace tinyllm::ref {

std::shared_ptr<std::byte> allocate(std::size_t bytes) {
    constexpr std::align_val_t kAlign{64};
    void* memory = ::operator new(bytes ? bytes : 1, kAlign, std::nothrow);
    if (!memory) throw Error(ErrorKind::out_of_memory, "no memory for " + std::to_string(bytes) + " bytes");
    std::memset(memory, 0, bytes);
    return {static_cast<std::byte*>(memory), [](std::byte* p) { ::operator delete(p, kAlign); }};
}

Matrix pack(std::span<const RawMatrix> parts, PackWatch* watch) {
    Matrix matrix;
    for (const RawMatrix& part : parts) {
        assert(matrix.cols == 0 || matrix.cols == part.cols);
        matrix.cols = part.cols;
        matrix.rows += part.rows;
        matrix.bytes += static_cast<std::size_t>(part.rows) * row_bytes(part.type, part.cols);
    }
    const std::shared_ptr<std::byte> memory = allocate(matrix.bytes);
    std::byte* to = memory.get();
    for (std::size_t p = 0; p < parts.size(); ++p) {
        const RawMatrix& part = parts[p];
        if (watch && !watch->accept(p, stored_bytes(part))) return {};
        const std::size_t bytes = row_bytes(part.type, part.cols);
        matrix.strips.push_back({part.type, part.rows, to});
        const std::size_t element = traits(part.type).block_bytes;
        const std::int64_t stored_rows = part.stored_rows ? part.stored_rows : part.rows;
        for (std::int64_t r = 0; r < part.rows; ++r, to += bytes) {
            const auto from = static_cast<std::size_t>(
                part.row_order.empty() ? r : part.row_order[static_cast<std::size_t>(r)]);
            if (!part.transposed) {
                std::memcpy(to, part.data + from * bytes, bytes);
                continue;
            }
            assert(traits(part.type).block == 1);
            for (std::int64_t c = 0; c < part.cols; ++c) {
                const std::size_t at = static_cast<std::size_t>(c * stored_rows) + from;
                std::memcpy(to + static_cast<std::size_t>(c) * element, part.data + at * element, element);
            }
        }
        if (watch) watch->done(p, stored_bytes(part));
    }
    matrix.memory = memory;
    return matrix;
}

void read_row(const Matrix& matrix, std::int64_t row, float* to) {
    assert(row >= 0 && row < matrix.rows);
    for (const Strip& strip : matrix.strips) {
        if (row < strip.rows) {
            const std::size_t bytes = row_bytes(strip.type, matrix.cols);
            traits(strip.type).to_f32(strip.data + static_cast<std::size_t>(row) * bytes, to, matrix.cols);
            return;
        }
        row -= strip.rows;
    }
}

}  // namespace tinyllm::ref
