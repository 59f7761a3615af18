#!/usr/bin/env python3
"""Every quantized type: ggml's bytes from the same numbers, and ggml's numbers from the same bytes, to the last bit.

ggml_blocks_test.py [ROWS [SEED]]: so many rows of 256 of each kind of number."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "files"))
import oracle

oracle.require("llama_cpp", "numpy")

import numpy as np

import ggml_blocks

PROBE = pathlib.Path(os.environ["TINYLLM_BUILD_DIR"]) / "tests" / "quant_probe"


def probe(*arguments: str, data: bytes) -> bytes:
    return subprocess.run([PROBE, *arguments], input=data, capture_output=True, check=True).stdout


def check_blocks(ggml: ggml_blocks.Ggml, name: str, numbers: dict[str, np.ndarray]) -> bytes:
    """ggml's blocks of all the numbers, once ours are found to be the same."""
    rows = len(next(iter(numbers.values())))
    x = np.concatenate(list(numbers.values()))
    want = ggml.quantize(name, x)
    have = probe(name, "q", data=x.tobytes())
    a, b = np.frombuffer(have, np.uint8), np.frombuffer(want, np.uint8)
    if len(a) != len(b):
        sys.exit(f"FAILED: {name}: {len(a)} bytes, ggml writes {len(b)}")
    if (a != b).any():
        at = int(np.flatnonzero(a != b)[0])
        row = at * len(x) // len(b)
        sys.exit(f"FAILED: {name}: byte {at % ggml.traits(name).bytes} of a block of '{list(numbers)[row // rows]}', row {row % rows}: "
                 f"{a[at]}, ggml has {b[at]}; {int((a != b).sum())} of {len(b)} bytes differ")
    return want


def check_weighted(ggml: ggml_blocks.Ggml, name: str, numbers: dict[str, np.ndarray], rng: np.random.Generator) -> int:
    """Rows of 256 and of 1024, whose columns matter as much as one another, or not at all alike."""
    blocks = 0
    for columns in (256, 1024):
        for what, rows in numbers.items():
            x = np.ascontiguousarray(rows.reshape(-1, columns))
            weights = {"equal": np.ones(x.shape), "heavy-tailed": np.exp(2 * rng.standard_normal(x.shape)),
                       "mostly small": np.where(rng.random(x.shape) < 0.1, 100.0, 1e-4) * rng.uniform(0.5, 1, x.shape)}
            for kind, importance in weights.items():
                importance = np.ascontiguousarray(importance, np.float32)
                want = ggml.quantize_weighted(name, x, importance)
                have = probe(name, "w", str(columns), data=np.concatenate([importance, x], axis=1).tobytes())
                a, b = np.frombuffer(have, np.uint8), np.frombuffer(want, np.uint8)
                if len(a) != len(b) or (a != b).any():
                    at = int(np.flatnonzero(a != b)[0]) if len(a) == len(b) else -1
                    sys.exit(f"FAILED: {name} weighed: '{what}', importances {kind}, {columns} columns: byte {at % ggml.traits(name).bytes} of "
                             f"block {at // ggml.traits(name).bytes}: {int((a != b).sum()) if at >= 0 else len(a)} of {len(b)} bytes differ")
                blocks += len(b) // ggml.traits(name).bytes
    return blocks


def check_values(ggml: ggml_blocks.Ggml, name: str, what: str, blocks: bytes) -> None:
    want = ggml.dequantize(name, blocks)
    have = np.frombuffer(probe(name, "d", data=blocks), np.float32)
    # NaN is NaN, whatever its bits; 0 and -0 are two.
    equal = (want.view(np.uint32) == have.view(np.uint32)) | (np.isnan(want) & np.isnan(have))
    if not equal.all():
        at = int(np.flatnonzero(~equal)[0])
        sys.exit(f"FAILED: {name}: element {at} of {what}: {have[at]!r}, ggml reads {want[at]!r}")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    numbers = ggml_blocks.hard_numbers(rng, rows)
    ggml = ggml_blocks.Ggml()
    for name in ggml_blocks.TYPES:
        blocks = check_blocks(ggml, name, numbers)
        check_values(ggml, name, "what it wrote", blocks)
        check_values(ggml, name, "any bytes", rng.bytes(len(blocks)))
        weighed = check_weighted(ggml, name, numbers, rng)
        print(f"ok: {name}: {weighed} weighed blocks, byte for byte")
        print(f"ok: {name}: {len(blocks) // ggml.traits(name).bytes} blocks, byte for byte and bit for bit")


if __name__ == "__main__":
    main()
