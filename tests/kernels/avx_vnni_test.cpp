// AVX-VNNI's integer products against AVX2's, which are the same numbers: every output must be the same bits.
// Runs on machines without AVX-VNNI too, by AVX-512's encoding of the instruction (see tests/CMakeLists.txt).
#include <gtest/gtest.h>

#if defined(__x86_64__)

#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/cpu_info.h"
#include "kernels/cpu/pack.h"
#include "kernels/packed_type.h"
#include "kernels/quant.h"

namespace tinyllm::cpu {
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx_vnni {
extern const KernelTable kTable;
}
namespace avx_vnni_by_avx512 {
extern const KernelTable kTable;
}

namespace {

constexpr std::int64_t kCols = 96;
constexpr int kPanels = 3;
constexpr std::size_t kBlocks = kCols / kBlock;

bool runs(const std::string& name) {
    for (const Isa& isa : isas()) {
        if (isa.table->name == name) return isa.runs_here;
    }
    return false;
}

/// Panels of random bytes under random scales; `extreme`: all bytes the one of the largest magnitude.
std::vector<std::uint8_t> random_panels(DType type, int lanes, bool extreme) {
    const PackedBlock block = packed_block(type);
    std::mt19937 random(static_cast<unsigned>(type));
    std::uniform_real_distribution<float> scale(0.01f, 2);
    const auto bytes = static_cast<std::size_t>(panel_bytes(type, kCols, lanes));
    std::vector<std::uint8_t> panels(bytes * kPanels);
    for (std::uint8_t& byte : panels)
        byte = extreme ? (type == DType::q8_0 ? 0x80 : 0xff) : static_cast<std::uint8_t>(random());
    for (std::size_t p = 0; p < kPanels; ++p) {
        for (std::size_t i = 0; i < kBlocks * static_cast<std::size_t>(block.scales * lanes); ++i) {
            const std::uint16_t half = f32_to_f16(scale(random));
            std::memcpy(panels.data() + p * bytes + 2 * i, &half, 2);
        }
    }
    return panels;
}

struct Tiles {
    std::vector<std::int8_t> q;
    std::vector<float> scales, sums;
    std::vector<std::int32_t> q8, q4, q5, q6;
    IntTile tile() {
        return {q.data(), scales.data(), sums.data(), q8.data(), q4.data(), q5.data(), q6.data()};
    }
};

Tiles filled(const KernelTable& table, int width, bool extreme) {
    const std::size_t n = kBlocks * static_cast<std::size_t>(width);
    Tiles tiles{
        std::vector<std::int8_t>(n * kBlock), std::vector<float>(n),        std::vector<float>(n),
        std::vector<std::int32_t>(n),         std::vector<std::int32_t>(n), std::vector<std::int32_t>(n),
        std::vector<std::int32_t>(2 * n)};
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (int t = 0; t < width; ++t) {
        std::vector<float> x(kCols);
        for (float& v : x) v = extreme ? (t % 2 ? -1.0f : 1.0f) : normal(random);
        table.fill_int_tile(t == 5 ? nullptr : x.data(), t, width, kCols, tiles.tile());
    }
    return tiles;
}

void expect_same_as_avx2(const KernelTable& table) {
    ASSERT_EQ(table.lanes, avx2::kTable.lanes);
    const std::size_t bytes = kPanels * static_cast<std::size_t>(table.lanes) * sizeof(float);
    for (const DType type : all_dtypes()) {
        if (dtype_block(type) == 1 || packed_type(type, Precision::fast) != type) continue;
        for (const bool extreme : {false, true}) {
            std::vector<std::uint8_t> signed_bytes = random_panels(type, table.lanes, extreme);
            std::vector<std::uint8_t> offset_bytes = signed_bytes;
            const std::int64_t stride = panel_bytes(type, kCols, table.lanes);
            if (type == DType::q8_0) {  // stored + 128 for unsigned x signed products
                const std::int64_t scales = stride - kCols * table.lanes;
                for (std::int64_t i = 0; i < stride * kPanels; ++i) {
                    if (i % stride >= scales) offset_bytes[static_cast<std::size_t>(i)] ^= 0x80;
                }
            }
            const Panels want_panels{static_cast<int>(type), signed_bytes.data(), stride, kCols};
            const Panels have_panels{static_cast<int>(type), offset_bytes.data(), stride, kCols};
            for (const int width : table.tiles) {
                Tiles want_x = filled(avx2::kTable, width, extreme);
                Tiles have_x = filled(table, width, extreme);
                EXPECT_EQ(want_x.q, have_x.q);
                const auto ld = static_cast<std::int64_t>(bytes / sizeof(float));
                std::vector<float> want(static_cast<std::size_t>(ld * width)), have(want.size());
                avx2::kTable.int_tile(&want_panels, 0, kPanels, want_x.tile(), width, want.data(), ld);
                table.int_tile(&have_panels, 0, kPanels, have_x.tile(), width, have.data(), ld);
                EXPECT_EQ(std::memcmp(want.data(), have.data(), want.size() * sizeof(float)), 0)
                    << dtype_name(type) << " tile " << width << " extreme " << extreme;
            }
            std::vector<float> want(kCols * 8), have(want.size());
            avx2::kTable.unpack_panel(&want_panels, 1, want.data());
            table.unpack_panel(&have_panels, 1, have.data());
            EXPECT_EQ(want, have) << dtype_name(type);
        }
    }
}

TEST(AvxVnni, SameBitsAsAvx2) {
    if (!runs("avx_vnni")) GTEST_SKIP() << "no AVX-VNNI";
    expect_same_as_avx2(avx_vnni::kTable);
}

TEST(AvxVnni, ByAvx512SameBitsAsAvx2) {
    if (!runs("avx512_vnni")) GTEST_SKIP() << "no AVX-512 VNNI";
    expect_same_as_avx2(avx_vnni_by_avx512::kTable);
}

}  // namespace
}  // namespace tinyllm::cpu

#endif
