// The tiles of AMX: eight of sixteen rows of 64 bytes. Instructions by name: GCC 12's _tile_loadconfig tells
// the compiler of 8 of the 64 bytes it reads.
#pragma once

namespace tinyllm::cpu::TINYLLM_ISA {

/// Intel's layout of the operand of ldtilecfg (Software Developer's Manual, volume 1, 18.3).
struct TileConfig {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

/// All eight tiles of this thread whole; the contents are zero.
TINYLLM_INLINE void configure_tiles() {
    alignas(64) static constexpr TileConfig kConfig;
    asm volatile("ldtilecfg %0" : : "m"(kConfig));
}
/// The system need not keep the tiles when it switches to another thread.
TINYLLM_INLINE void release_tiles() {
    asm volatile("tilerelease" : : : "memory");
}
template <int tile>
TINYLLM_INLINE void zero_tile() {
    asm volatile("tilezero %%tmm%c0" : : "i"(tile));
}
/// Sixteen rows, `stride` bytes apart.
template <int tile>
TINYLLM_INLINE void load_tile(const uint16_t* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
TINYLLM_INLINE void store_tile(float* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(tile) : "memory");
}
/// sum[row][lane] += the products of row `row` of a with column `lane` of b, pair by pair.
template <int sum, int a, int b>
TINYLLM_INLINE void multiply_tiles() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
