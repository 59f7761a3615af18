#include "kernels/cuda/product_test.h"

#include <mutex>

#include "kernels/quant.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

constexpr std::int64_t kOutputs = 136, kCols = 260;  // the last octet is half a one
constexpr std::int32_t kMost = 150;

/// Different numbers in every row and column, of both signs.
std::vector<float> spread(std::int64_t n, std::size_t step) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * step % 16411) / 8192.0f - 1.0f;
    return x;
}

}  // namespace

std::vector<std::vector<float>> sample_products(Backend& backend) {
    const std::lock_guard lock(backend.mutex());
    const auto sent = [&](const std::vector<float>& values) {
        const std::shared_ptr<std::byte> to = backend.allocate(values.size() * sizeof(float));
        backend.write(to.get(), values.data(), values.size() * sizeof(float));
        return to;
    };
    const auto floats = [](const std::shared_ptr<std::byte>& at) {
        return reinterpret_cast<float*>(at.get());
    };
    const std::vector<float> weights = spread(kOutputs * kCols, 7919), start = spread(kMost * kOutputs, 101);
    const auto x = sent(spread(kMost * kCols, 6007)), bias = sent(spread(kOutputs, 31)), out = sent(start);
    std::vector<std::vector<float>> found;
    for (const DType type : {DType::f16, DType::bf16, DType::f32}) {
        std::vector<std::byte> stored(row_bytes(type, kCols) * static_cast<std::size_t>(kOutputs));
        traits(type).from_f32(weights.data(), stored.data(), kOutputs * kCols);
        const RawMatrix raw{.type = type, .rows = kOutputs, .cols = kCols, .data = stored.data()};
        const Matrix w = backend.pack({&raw, 1}, nullptr);
        for (const std::int32_t n : {1, 40, kMost}) {
            LinearArgs args;
            args.n = n;
            args.x = floats(x);
            args.w = &w;
            args.bias = n == 40 ? nullptr : floats(bias);
            args.activation = n == 1 ? Activation::gelu : Activation::none;
            args.accumulate = n != 1;
            args.out = floats(out);
            backend.write(out.get(), start.data(), start.size() * sizeof(float));
            backend.linear(args);
            found.emplace_back(static_cast<std::size_t>(n * kOutputs));
            backend.read(found.back().data(), out.get(), found.back().size() * sizeof(float));
        }
    }
    return found;
}

bool agree(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
    constexpr double kBound = 1e-10;  // of squares; products of TF32 lose about 1e-7
    for (std::size_t i = 0; i < a.size(); ++i) {
        double error = 0, size = 0;
        for (std::size_t j = 0; j < a[i].size(); ++j) {
            const double d = static_cast<double>(a[i][j]) - b[i][j];
            error += d * d;
            size += static_cast<double>(a[i][j]) * a[i][j];
        }
        if (!(error <= kBound * size)) return false;
    }
    return true;
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
