"""What ggml makes of numbers: its quantizers and their inverses, by ctypes on the library that comes with llama_cpp; and numbers that
are hard to quantize."""
import ctypes
import importlib.util
import pathlib

import numpy as np

# The command's names and ggml's numbers.
TYPES = {"q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_k": 10, "q3_k": 11, "q4_k": 12, "q5_k": 13, "q6_k": 14, "iq4_nl": 20}
SUPER_BLOCK = 256


class TypeTraits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64), ("bytes", ctypes.c_size_t),
                ("is_quantized", ctypes.c_bool), ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
                ("from_float_ref", ctypes.c_void_p)]


class Ggml:
    def __init__(self):
        package = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent
        self.lib = ctypes.CDLL(str(package / "lib" / "libggml-base.so"))
        self.lib.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                                 ctypes.c_int64, ctypes.c_void_p]

    def traits(self, type_name):
        return self.lib.ggml_get_type_traits(TYPES[type_name]).contents

    def quantize(self, type_name, x):
        """Without an importance matrix; `x` holds rows of SUPER_BLOCK."""
        x = np.ascontiguousarray(x, np.float32)
        traits = self.traits(type_name)
        out = np.zeros(x.size // traits.block * traits.bytes, np.uint8)
        written = self.lib.ggml_quantize_chunk(TYPES[type_name], x.ctypes.data, out.ctypes.data, 0, x.size // SUPER_BLOCK, SUPER_BLOCK, None)
        assert written == out.size, (type_name, written, out.size)
        return out.tobytes()

    def quantize_weighted(self, type_name, x, importance):
        """(rows, columns) with one importance per column of each row: row by row, as each has its own."""
        rows, columns = x.shape
        traits = self.traits(type_name)
        out = np.zeros((rows, columns // traits.block * traits.bytes), np.uint8)
        for values, weights, blocks in zip(x, importance, out):
            self.lib.ggml_quantize_chunk(TYPES[type_name], values.ctypes.data, blocks.ctypes.data, 0, 1, columns, weights.ctypes.data)
        return out.tobytes()

    def dequantize(self, type_name, blocks):
        traits = self.traits(type_name)
        out = np.zeros(len(blocks) // traits.bytes * traits.block, np.float32)
        traits.to_float(ctypes.cast(blocks, ctypes.c_void_p), out.ctypes.data, out.size)
        return out


def hard_numbers(rng, rows):
    """{what they are: (rows, SUPER_BLOCK) f32}, every number finite."""
    shape = (rows, SUPER_BLOCK)
    at = np.arange(SUPER_BLOCK)
    normal = rng.standard_normal
    outlier = normal(shape) * 0.02
    outlier[np.arange(rows), rng.integers(0, SUPER_BLOCK, rows)] = rng.choice([-30.0, 5.0, 1000.0], rows)
    made = {
        "normal": normal(shape),
        "normal as weights are": normal(shape) * 0.02,
        "uniform": rng.uniform(-1, 1, shape),
        "heavy-tailed": rng.standard_t(1.5, shape),
        "scales apart": normal(shape) * np.exp(3 * normal(shape)),
        "sub-blocks apart": normal(shape) * np.repeat(np.exp(3 * normal((rows, SUPER_BLOCK // 16))), 16, axis=1),
        "constant": np.broadcast_to(normal((rows, 1)), shape),
        "zeros": np.zeros(shape),
        "negative zeros": np.full(shape, -0.0),
        "positive": rng.uniform(0.5, 2, shape),
        "negative": -rng.exponential(1, shape),
        "far from zero": 100 + normal(shape),
        "1e-30": normal(shape) * 1e-30,
        "1e-15, where a block counts as zeros": normal(shape) * rng.choice([3e-16, 1e-15, 4e-15], (rows, 1)),
        "1e-36": normal(shape) * 1e-36,  # below, 1 / scale is infinite, and what ggml then does is undefined
        "half's denormals": normal(shape) * rng.choice([6e-8, 1e-6, 1e-5], (rows, 1)),
        "6e4": rng.choice([-6e4, 6e4], shape) * rng.uniform(0.5, 1, shape),
        "beyond half": normal(shape) * 1e7,
        "alternating": np.where(at % 2, 7.0, -7.0) * rng.uniform(0.1, 2, (rows, 1)),
        "ramp": (at - 127.5) / rng.uniform(1, 50, (rows, 1)),
        "sparse": np.where(rng.random(shape) < 0.03, normal(shape), 0),
        "one number": np.where(at == rng.integers(0, SUPER_BLOCK, (rows, 1)), normal((rows, 1)), 0),
        "one outlier": outlier,
        "ties": rng.integers(-16, 17, shape) * 0.25,
        "ties of 127": rng.integers(-127, 128, shape) / 127.0 * 0.5,
        "few values": rng.choice([-1.5, -0.5, 0.0, 0.5, 1.5], shape),
    }
    return {what: np.ascontiguousarray(x, np.float32) for what, x in made.items()}
