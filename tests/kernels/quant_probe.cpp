// Converts for ggml_blocks_test.py, from standard input to standard output:
//   quant_probe TYPE q    f32 numbers to the blocks that hold them
//   quant_probe TYPE d    blocks to f32 numbers
//   quant_probe TYPE w N  rows of N f32 numbers, each behind the N importances of its columns, to blocks
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "kernels/quant.h"
#include "kernels/quant_weighted.h"

int main(int argc, char** argv) {
    using namespace tinyllm;
    const auto known = argc >= 3 ? dtype_from_name(argv[1]) : std::nullopt;
    if (!known) return 2;
    const bool weigh = argv[2] == std::string("w");
    if (argc != (weigh ? 4 : 3)) return 2;
    const TypeTraits& type = traits(*known);
    const bool quantize = argv[2] == std::string("q");
    std::vector<char> in;
    char part[4096];
    while (const std::size_t n = std::fread(part, 1, std::size(part), stdin)) {
        in.insert(in.end(), part, part + n);
    }
    if (weigh) {
        const std::int64_t cols = std::atoll(argv[3]);
        std::vector<char> blocks(row_bytes(type.type, cols));
        const auto* row = reinterpret_cast<const float*>(in.data());
        for (std::size_t left = in.size() / sizeof(float); left > 0;
             left -= 2 * static_cast<std::size_t>(cols)) {
            weighted_row_from_f32(type.type, row + cols, row, blocks.data(), cols);
            if (std::fwrite(blocks.data(), 1, blocks.size(), stdout) != blocks.size()) return 1;
            row += 2 * cols;
        }
        return 0;
    }
    const std::size_t numbers_bytes = static_cast<std::size_t>(type.block) * sizeof(float);
    const std::size_t blocks = in.size() / (quantize ? numbers_bytes : type.block_bytes);
    const std::int64_t n = static_cast<std::int64_t>(blocks) * type.block;
    std::vector<char> out(blocks * (quantize ? type.block_bytes : numbers_bytes));
    if (quantize) {
        type.from_f32(reinterpret_cast<const float*>(in.data()), out.data(), n);
    } else {
        type.to_f32(in.data(), reinterpret_cast<float*>(out.data()), n);
    }
    return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
