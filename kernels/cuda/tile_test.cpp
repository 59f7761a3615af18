#include "kernels/cuda/tile_test.h"

#include <cstring>
#include <mutex>
#include <vector>

#include "kernels/quant.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

constexpr std::int64_t kOutputs = 2048, kCols = 64;  // 16 of the largest tiles for each 128 rows

/// Different numbers in every row and column, of both signs.
std::vector<float> spread(std::int64_t n) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 16411) / 8192.0f - 1.0f;
    return x;
}

}  // namespace

std::string tile_test(Backend& backend, int multiprocessors) {
    const std::lock_guard lock(backend.mutex());
    const std::int32_t rows = (multiprocessors + 3) / 4 * 128;
    const std::vector<float> numbers = spread(rows * kCols), weights = spread(kOutputs * kCols);
    const std::shared_ptr<std::byte> x = backend.allocate(numbers.size() * sizeof(float));
    const std::shared_ptr<std::byte> out =
        backend.allocate(static_cast<std::size_t>(rows * kOutputs) * sizeof(float));
    backend.write(x.get(), numbers.data(), numbers.size() * sizeof(float));
    for (const DType type : {DType::q8_0, DType::bf16}) {
        std::vector<std::byte> stored(row_bytes(type, kCols) * static_cast<std::size_t>(kOutputs));
        traits(type).from_f32(weights.data(), stored.data(), kOutputs * kCols);
        const RawMatrix raw{.type = type, .rows = kOutputs, .cols = kCols, .data = stored.data()};
        const Matrix w = backend.pack({&raw, 1}, nullptr);
        const auto last_rows = [&](std::int32_t n, std::int32_t wanted) {
            const auto* from = reinterpret_cast<const float*>(x.get()) + (rows - n) * kCols;
            auto* to = reinterpret_cast<float*>(out.get());
            backend.linear({.n = n, .x = from, .w = &w, .out = to});
            std::vector<float> found(static_cast<std::size_t>(wanted * kOutputs));
            backend.read(found.data(), to + (n - wanted) * kOutputs, found.size() * sizeof(float));
            return found;
        };
        for (const std::int32_t n : {16, 32, 64}) {
            const std::vector<float> few = last_rows(n, n), of_many = last_rows(rows, n);
            if (std::memcmp(few.data(), of_many.data(), few.size() * sizeof(float)) != 0)
                return "a product of " + std::to_string(rows) + " rows gives other results";
        }
    }
    return "";
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
