// What kernels/cpu/isa/simd/amx.h wraps, done in memory: the operations of Intel's Software Developer's
// Manual, volume 2, for tiles of sixteen rows of 64 bytes.
#pragma once

namespace tinyllm::cpu::TINYLLM_ISA {

struct EmulatedTiles {
    bool configured;
    alignas(64) uint16_t rows[8][16][32];
};
inline thread_local EmulatedTiles tiles;

inline void need_tiles() {
    if (!tiles.configured) __builtin_trap();
}
inline void configure_tiles() {
    __builtin_memset(&tiles, 0, sizeof tiles);
    tiles.configured = true;
}
inline void release_tiles() {
    need_tiles();
    tiles.configured = false;
}
template <int tile>
void zero_tile() {
    need_tiles();
    __builtin_memset(tiles.rows[tile], 0, sizeof tiles.rows[tile]);
}
template <int tile>
void load_tile(const uint16_t* from, int64_t stride) {
    need_tiles();
    for (int row = 0; row < 16; ++row)
        __builtin_memcpy(tiles.rows[tile][row], reinterpret_cast<const char*>(from) + row * stride, 64);
}
template <int tile>
void store_tile(float* to, int64_t stride) {
    need_tiles();
    for (int row = 0; row < 16; ++row)
        __builtin_memcpy(reinterpret_cast<char*>(to) + row * stride, tiles.rows[tile][row], 64);
}
inline float bf16_value(uint16_t bits) {
    const uint32_t wide = uint32_t{bits} << 16;
    float value;
    __builtin_memcpy(&value, &wide, 4);
    return value;
}
/// The even products of a row are one sum, the odd ones another, which are then added to each other and to
/// what was there.
template <int sum, int a, int b>
void multiply_tiles() {
    need_tiles();
    for (int row = 0; row < 16; ++row) {
        for (int lane = 0; lane < 16; ++lane) {
            float parts[2] = {0, 0};
            for (int k = 0; k < 16; ++k) {
                for (int i = 0; i < 2; ++i) {
                    parts[i] = __builtin_fmaf(bf16_value(tiles.rows[a][row][2 * k + i]),
                                              bf16_value(tiles.rows[b][k][2 * lane + i]), parts[i]);
                }
            }
            float total;
            __builtin_memcpy(&total, &tiles.rows[sum][row][2 * lane], 4);
            total += parts[0] + parts[1];
            __builtin_memcpy(&tiles.rows[sum][row][2 * lane], &total, 4);
        }
    }
}

}  // namespace tinyllm::cpu::TINYLLM_ISA
