#!/usr/bin/env python3
"""Registers, stack and spills of every CUDA kernel, as ptxas tells them, and the warps that its registers leave room for; of tiles for
tensor cores, those that shared memory leaves room for too.

ptxas_report.py [ARCHITECTURE]      sm_87 unless given; compiles kernels/cuda/*.cu, needs nvcc
"""
import pathlib
import re
import subprocess
import sys
import tempfile

REGISTERS = 65536
# Warps and bytes of shared memory of a multiprocessor.
MULTIPROCESSORS = {"sm_75": (32, 64 << 10), "sm_80": (64, 164 << 10), "sm_86": (48, 100 << 10), "sm_87": (48, 164 << 10),
                   "sm_89": (48, 100 << 10), "sm_90": (64, 228 << 10)}
ENTRY = re.compile(
    r"Compiling entry function '(\S+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores.*?Used (\d+) registers",
    re.S)


def main():
    arch = sys.argv[1] if len(sys.argv) > 1 else "sm_87"
    most_warps, most_shared = MULTIPROCESSORS[arch]
    root = pathlib.Path(__file__).resolve().parent.parent
    print("| kernel | registers | stack | spills | warps |\n|---|---|---|---|---|")
    for source in sorted((root / "kernels/cuda").glob("*.cu")):
        with tempfile.TemporaryDirectory() as folder:
            told = subprocess.run(
                ["nvcc", "-std=c++14", f"-arch={arch}", "-fmad=false", "-Xptxas", "-v", f"-I{root}", "-c", source, "-o",
                 f"{folder}/object.o"], check=True, capture_output=True, text=True).stderr
        for name, stack, spills, registers in ENTRY.findall(told):
            name = subprocess.run(["c++filt", name], capture_output=True, text=True).stdout
            name = re.sub(r"tinyllm::cuda::|\(anonymous namespace\)::|Format", "", name)
            name = re.search(r"run_kernel<(.*?)\s*>\(", name).group(1)
            threads = {"Matvec": 256, "Gemm": 256, "Score": 256, "Glu": 256, "Copy": 256, "MergeSplits": 64}
            warps = threads.get(name.split("<")[0], 128) // 32
            shared = 0
            if tile := re.match(r"TensorGemm<\w+, (\d+), (\d+), (\d+), (\d+)", name):
                out, rows, of_out, of_rows = map(int, tile.groups())
                warps, shared = out * rows, 3 * (16 * of_out * out + 8 * of_rows * rows) * 64
            of_block = warps * 32 * ((int(registers) + 7) // 8 * 8)
            blocks = min(most_warps // warps, REGISTERS // of_block)
            if shared:
                blocks = min(blocks, most_shared // (shared + 1024))  # the driver keeps 1 KiB of each block's
            print(f"| {name} | {registers} | {stack} | {spills} | {blocks * warps} of {most_warps} |")


if __name__ == "__main__":
    main()
