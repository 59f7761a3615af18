"""Writes blocks.bin: inputs, and what ggml makes of them in each quantized type. Layout: n, number of types (u32), n f32; then for each type its
number (u32), the blocks, and the FNV-1a hash (u64) of the bytes of the n f32 that ggml reads from the blocks. Needs llama_cpp, for its library."""
import pathlib
import struct
import sys

import numpy as np

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import ggml_blocks


def fnv1a(data):
    total = 0xCBF29CE484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return total


rng = np.random.default_rng(3)
numbers = ggml_blocks.hard_numbers(rng, 1)
del numbers["beyond half"]  # no weights; the comparison with ggml has them
x = np.concatenate(list(numbers.values()))
ggml = ggml_blocks.Ggml()
with open(here / "blocks.bin", "wb") as out:
    out.write(struct.pack("<II", x.size, len(ggml_blocks.TYPES)))
    out.write(x.tobytes())
    for name, number in ggml_blocks.TYPES.items():
        blocks = ggml.quantize(name, x)
        out.write(struct.pack("<I", number) + blocks + struct.pack("<Q", fnv1a(ggml.dequantize(name, blocks).tobytes())))
