// What every type is packed as, and what that costs at the ends of the range.
#include "kernels/packed_type.h"

#include <algorithm>

#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

/// A matrix of one block a row, every row the same.
Stored matrix_of(DType type, std::vector<std::byte> block, std::int64_t rows) {
    Stored stored;
    for (std::int64_t r = 0; r < rows; ++r) {
        stored.bytes.insert(stored.bytes.end(), block.begin(), block.end());
    }
    stored.raw = {.type = type, .rows = rows, .cols = dtype_block(type), .data = stored.bytes.data()};
    return stored;
}

void set_scales(const TypeTraits& type, std::vector<std::byte>& block, std::uint16_t scale) {
    for (int i = 0; i < type.n_scales; ++i) {
        std::memcpy(block.data() + type.scales_at + 2 * i, &scale, sizeof scale);
    }
}

/// Row 0 as the backend reads it back.
std::vector<float> row_of(Backend& backend, const Matrix& matrix) {
    const std::int32_t token = 0;
    std::vector<float> out(static_cast<std::size_t>(matrix.cols));
    backend.embed({.n = 1, .tokens = &token, .table = &matrix, .scale = 1, .out = out.data()});
    return out;
}

std::vector<float> values_of(const Stored& stored) {
    std::vector<float> out(static_cast<std::size_t>(stored.raw.cols));
    traits(stored.raw.type).to_f32(stored.raw.data, out.data(), stored.raw.cols);
    return out;
}

TEST(PairKernels, ReadTheBytesOfTheirTable) {
    std::vector<const cpu::KernelTable*> tables = live_tables();
    for (const cpu::Isa& isa : cpu::isas()) tables.push_back(isa.table);  // this needs no CPU that runs them
    for (const cpu::KernelTable* table : tables) {
        if (!table->pairs) continue;
        EXPECT_EQ(table->pairs->q8_offset, table->q8_offset) << table->name;
    }
}

class PackedType : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Isa, PackedType, testing::ValuesIn(live_isas()),
                         [](const auto& test) { return test.param; });

TEST_P(PackedType, StripsAreOfIt) {
    Random random(1);
    for (const Precision precision : {Precision::fast, Precision::exact}) {
        const auto backend = cpu_backend(GetParam(), 1, precision);
        for (const DType type : all_dtypes()) {
            const Stored stored = stored_matrix(random, type, 64, 256);
            const Matrix matrix = backend->pack({&stored.raw, 1}, nullptr);
            ASSERT_EQ(matrix.strips.size(), 1u);
            EXPECT_EQ(matrix.strips[0].type, packed_type(type, precision)) << dtype_name(type);
            EXPECT_EQ(matrix.bytes,
                      static_cast<std::size_t>(64 * packed_row_bytes(packed_type(type, precision), 256)))
                << dtype_name(type);
            if (type == DType::f32 || precision == Precision::exact) {
                EXPECT_TRUE(packs_exactly(type, precision)) << dtype_name(type);
            }
        }
    }
}

TEST_P(PackedType, ScalesBeyondTheHalfsRangeAreKept) {
    const auto backend = cpu_backend(GetParam(), 1, Precision::fast);
    for (const TypeTraits& type : type_table()) {
        if (type.block == 1) continue;
        // Some element far beyond, or the largest level of a type of our own.
        const bool own = type.type >= DType::t3_64;
        std::vector<std::byte> block(type.block_bytes, std::byte(own ? 0xff : 0x5a));
        set_scales(type, block, 0x7bff);  // 65504
        const Stored stored = matrix_of(type.type, block, 3);
        const Matrix matrix = backend->pack({&stored.raw, 1}, nullptr);
        const std::vector<float> want = values_of(stored);
        EXPECT_GT(std::fabs(*std::ranges::max_element(want, {}, [](float v) { return std::fabs(v); })), 1e5f);
        EXPECT_TRUE(same_bits(want, row_of(*backend, matrix))) << type.name;
    }
}

TEST_P(PackedType, ValuesBelowTheHalfsRangeDoNotVanish) {
    const auto backend = cpu_backend(GetParam(), 1, Precision::fast);
    for (const TypeTraits& type : type_table()) {
        if (type.block == 1) continue;
        std::vector<std::byte> block(type.block_bytes, std::byte{0x5a});
        set_scales(type, block, 0x0001);  // 2^-24
        const Stored stored = matrix_of(type.type, block, 3);
        const std::vector<float> want = values_of(stored);
        const std::vector<float> have = row_of(*backend, backend->pack({&stored.raw, 1}, nullptr));
        float most = 0;
        for (const float v : want) most = std::max(most, std::fabs(v));
        EXPECT_GT(most, 0) << type.name;
        for (std::size_t i = 0; i < want.size(); ++i) {
            // Half a step, of which 127 span the largest; halves lie 2^-24 apart.
            EXPECT_NEAR(have[i], want[i], most / 254 + 0x1p-25f) << type.name << " " << i;
        }
        EXPECT_GT(std::ranges::count_if(have, [](float v) { return v != 0; }), 0) << type.name;
    }
}

}  // namespace
}  // namespace tinyllm::test
