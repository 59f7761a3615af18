// What is told of the CUDA backend's memory, beside what it takes (its kernels being run by loops).
#include "kernels/cuda_memory.h"

#include <gtest/gtest.h>

#include "kernels/cuda_emulated.h"
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

TEST(CudaMemory, OfAMatrixOfEveryType) {
    Random random(31);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = make_cuda_emulated_backend(precision);
        for (const DType type : all_dtypes()) {
            for (const std::int64_t rows : {1, 7, 300}) {
                const Stored w = stored_matrix(random, type, rows, 512);
                const std::size_t before = cuda_emulated_bytes();
                const Matrix packed = backend->pack({&w.raw, 1}, nullptr);
                const std::int64_t told = cuda_matrix_bytes(type, rows, 512, precision);
                EXPECT_EQ(told, static_cast<std::int64_t>(packed.bytes)) << dtype_name(type);
                EXPECT_EQ(told, static_cast<std::int64_t>(cuda_emulated_bytes() - before))
                    << dtype_name(type);
            }
        }
    }
}

TEST(CudaMemory, StackedPartsShareTheirPadding) {
    Random random(32);
    const auto backend = make_cuda_emulated_backend(Precision::fast);
    for (const DType type : all_dtypes()) {
        const Stored a = stored_matrix(random, type, 5, 256), b = stored_matrix(random, type, 130, 256);
        const RawMatrix parts[] = {a.raw, b.raw, a.raw};
        const auto held = static_cast<std::int64_t>(backend->pack(parts, nullptr).bytes);
        const std::int64_t told = 2 * cuda_matrix_bytes(type, 5, 256, Precision::fast) +
                                  cuda_matrix_bytes(type, 130, 256, Precision::fast);
        EXPECT_GE(told, held) << dtype_name(type);
        EXPECT_LT(told, held + 3 * 1024) << dtype_name(type);
    }
}

}  // namespace
}  // namespace tinyllm::test
