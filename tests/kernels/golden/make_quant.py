"""Writes quant.bin: inputs and what the gguf package makes of them. Layout: n (u32), n f32, then f16, bf16, q8_0, q4_0 of the n values."""
import os
import struct

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import quantize

rng = np.random.default_rng(7)
rows = [
    rng.standard_normal(32 * 40),
    rng.standard_normal(32 * 20) * np.exp(rng.standard_normal(32 * 20) * 4),
    np.zeros(32),
    np.full(32, -3.25),
    np.arange(-16, 16),
    (np.arange(32) - 15.5) / 2,
    np.where(np.arange(32) % 2, 7.0, -7.0),  # two extremes of one magnitude: the first decides
    np.arange(32) * 1e-9,
    rng.standard_normal(32) * 6e-8,
    rng.standard_normal(32) * 9e4,
    rng.integers(-127, 128, 32 * 20) / 127.0 * 0.5,
    rng.integers(-16, 17, 32 * 20) * 0.25,  # many ties
]
x = np.concatenate([np.asarray(r, np.float32) for r in rows]).reshape(-1, 32)
with np.errstate(over="ignore", invalid="ignore"), open(os.path.join(os.path.dirname(__file__), "quant.bin"), "wb") as out:
    out.write(struct.pack("<I", x.size))
    out.write(x.tobytes())
    out.write(x.astype(np.float16).tobytes())
    for kind in (T.BF16, T.Q8_0, T.Q4_0):
        out.write(quantize(x, kind).tobytes())
