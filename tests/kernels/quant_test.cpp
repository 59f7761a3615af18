// Stored types: bytes equal to the gguf package's and to ggml's, conversions exact.
#include "kernels/quant.h"

#include <gtest/gtest.h>

#include <algorithm>
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

/// FNV-1a, as golden/make_blocks.py computes it.
std::uint64_t hash(const void* data, std::size_t n) {
    std::uint64_t sum = 0xcbf29ce484222325u;
    for (std::size_t i = 0; i < n; ++i) {
        sum = (sum ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
    }
    return sum;
}

TEST(Quant, BlocksEqualGgml) {
    std::ifstream file(TINYLLM_TEST_DIR "/kernels/golden/blocks.bin", std::ios::binary);
    ASSERT_TRUE(file.is_open());
    std::uint32_t head[2];  // elements, types
    std::memcpy(head, read(file, sizeof head).data(), sizeof head);
    std::vector<float> x(head[0]);
    std::memcpy(x.data(), read(file, head[0] * sizeof(float)).data(), head[0] * sizeof(float));
    const std::int64_t n = head[0];
    EXPECT_EQ(head[1], std::ranges::count_if(type_table(), [](const auto& row) {
                  return row.block > 1 && row.type < DType::t3_64;  // those are our own
              }));
    for (std::uint32_t t = 0; t < head[1]; ++t) {
        std::uint32_t id = 0;
        std::memcpy(&id, read(file, sizeof id).data(), sizeof id);
        const TypeTraits& type = traits(static_cast<DType>(id));
        ASSERT_EQ(static_cast<std::uint32_t>(type.type), id);
        const std::vector<char> want = read(file, row_bytes(type.type, n));
        std::uint64_t values = 0;
        std::memcpy(&values, read(file, sizeof values).data(), sizeof values);
        std::vector<char> have(want.size());
        type.from_f32(x.data(), have.data(), n);
        for (std::size_t i = 0; i < want.size(); ++i) {
            ASSERT_EQ(have[i], want[i])
                << type.name << " block " << i / type.block_bytes << " byte " << i % type.block_bytes;
        }
        std::vector<float> back(head[0]);
        type.to_f32(want.data(), back.data(), n);
        EXPECT_EQ(hash(back.data(), back.size() * sizeof(float)), values) << type.name;
    }
}

TEST(Quant, ScalesStandWhereTheTableSays) {
    for (const TypeTraits& type : type_table()) {
        if (type.block == 1) continue;
        std::vector<unsigned char> block(type.block_bytes, 0xff);
        std::vector<float> x(static_cast<std::size_t>(type.block));
        const std::uint16_t one = 0x3c00, none = 0x7c00;
        const auto set = [&](int i, std::uint16_t scale) {
            std::memcpy(block.data() + type.scales_at + 2 * i, &scale, sizeof scale);
        };
        for (int i = 0; i < type.n_scales; ++i) set(i, one);
        type.to_f32(block.data(), x.data(), type.block);
        for (const float v : x) {
            EXPECT_LE(std::fabs(v), static_cast<float>(type.reach)) << type.name;
        }
        for (int i = 0; i < type.n_scales; ++i) {
            set(i, none);
            type.to_f32(block.data(), x.data(), type.block);
            for (const float v : x) EXPECT_FALSE(std::isfinite(v)) << type.name << " scale " << i;
            set(i, one);
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

TEST(Quant, NanAndInfinityStayNoNumbers) {
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity()};
    for (const TypeTraits& type : type_table()) {
        for (const float value : bad) {
            std::vector<float> x(512, 1.0f);
            x[5] = value;
            std::vector<char> stored(row_bytes(type.type, 512));
            type.from_f32(x.data(), stored.data(), 512);
            type.to_f32(stored.data(), x.data(), 512);
            EXPECT_FALSE(std::isfinite(x[5])) << type.name;
            if (std::isnan(value)) {
                EXPECT_TRUE(std::isnan(x[5])) << type.name;
            }
            EXPECT_NEAR(x[256], 1, 0.02) << type.name;  // the next block
        }
    }
}

TEST(Quant, NamesAndSizes) {
    EXPECT_EQ(dtype_from_name("Q8_0"), DType::q8_0);
    EXPECT_EQ(dtype_from_name("bf16"), DType::bf16);
    EXPECT_FALSE(dtype_from_name("q9_0").has_value());
    EXPECT_EQ(row_bytes(DType::q8_0, 64), 68U);
    EXPECT_EQ(row_bytes(DType::q4_0, 64), 36U);
    EXPECT_EQ(dtype_block(DType::q4_0), 32);
    EXPECT_EQ(dtype_from_name("Q4_K"), DType::q4_k);
    EXPECT_EQ(row_bytes(DType::q6_k, 512), 420U);
    EXPECT_EQ(dtype_block(DType::q2_k), 256);
    EXPECT_EQ(all_dtypes().size(), type_table().size());
}

}  // namespace
}  // namespace tinyllm
