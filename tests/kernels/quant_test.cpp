// Stored types: bytes equal to the gguf package's, conversions exact.
#include "kernels/quant.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

namespace tinyllm {
namespace {

std::vector<char> read(std::ifstream& file, std::size_t n) {
    std::vector<char> bytes(n);
    file.read(bytes.data(), static_cast<std::streamsize>(n));
    EXPECT_TRUE(file.good());
    return bytes;
}

TEST(Quant, BytesEqualGguf) {
    std::ifstream file(TINYLLM_TEST_DIR "/kernels/golden/quant.bin", std::ios::binary);
    ASSERT_TRUE(file.is_open());
    std::uint32_t n = 0;
    std::memcpy(&n, read(file, 4).data(), 4);
    std::vector<float> x(n);
    std::memcpy(x.data(), read(file, n * sizeof(float)).data(), n * sizeof(float));
    for (const DType type : {DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
        const std::vector<char> want = read(file, row_bytes(type, n));
        std::vector<char> have(want.size());
        traits(type).from_f32(x.data(), have.data(), n);
        for (std::size_t i = 0; i < want.size(); ++i) {
            ASSERT_EQ(have[i], want[i]) << dtype_name(type) << " byte " << i;
        }
    }
}

TEST(Quant, EveryHalfSurvivesTheRoundTrip) {
    for (std::uint32_t h = 0; h < 0x10000; ++h) {
        const auto half = static_cast<std::uint16_t>(h);
        const float f = f16_to_f32(half);
        const int exponent = (half >> 10) & 31;
        if (exponent == 31) {
            EXPECT_EQ(std::isnan(f), (half & 0x3ff) != 0);
        } else {
            const double mantissa = (half & 0x3ff) / 1024.0 + (exponent ? 1 : 0);
            const double value = std::ldexp(mantissa, (exponent ? exponent : 1) - 15) * (half >> 15 ? -1 : 1);
            ASSERT_EQ(static_cast<double>(f), value) << h;
        }
        if (!std::isnan(f)) {
            ASSERT_EQ(f32_to_f16(f), half);
        }
        EXPECT_EQ(std::isnan(bf16_to_f32(half)), std::isnan(bf16_to_f32(f32_to_bf16(bf16_to_f32(half)))));
    }
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::bit_cast<float>(0x7f800001u)))));
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Quant, HalvesRoundToNearestEven) {
    EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3c00);             // tie, to even
    EXPECT_EQ(f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02);         // tie, to even
    EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);  // above the tie
    EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
    EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
    EXPECT_EQ(f32_to_f16(0x1p-25f), 0);  // half the smallest subnormal, to even
    EXPECT_EQ(f32_to_f16(-0x1.8p-25f), 0x8001);
}

TEST(Quant, NanStaysNan) {
    for (const TypeTraits& type : type_table()) {
        std::vector<float> x(32, 1.0f);
        x[5] = std::numeric_limits<float>::quiet_NaN();
        std::vector<char> stored(type.block_bytes * static_cast<std::size_t>(32 / type.block));
        type.from_f32(x.data(), stored.data(), 32);
        type.to_f32(stored.data(), x.data(), 32);
        EXPECT_TRUE(std::isnan(x[5])) << type.name;
    }
}

TEST(Quant, NamesAndSizes) {
    EXPECT_EQ(dtype_from_name("Q8_0"), DType::q8_0);
    EXPECT_EQ(dtype_from_name("bf16"), DType::bf16);
    EXPECT_FALSE(dtype_from_name("q9_0").has_value());
    EXPECT_EQ(row_bytes(DType::q8_0, 64), 68U);
    EXPECT_EQ(row_bytes(DType::q4_0, 64), 36U);
    EXPECT_EQ(dtype_block(DType::q4_0), 32);
    EXPECT_EQ(all_dtypes().size(), type_table().size());
}

}  // namespace
}  // namespace tinyllm
