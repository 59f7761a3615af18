#!/usr/bin/env python3
"""Registers, stack and spills of every CUDA kernel, as ptxas tells them, and the warps that its registers leave room for.

ptxas_report.py [ARCHITECTURE]      sm_87 unless given; compiles kernels/cuda/*.cu, needs nvcc
"""
import pathlib
import re
import subprocess
import sys
import tempfile

REGISTERS, MOST_WARPS = 65536, 48  # of a multiprocessor of sm_86 to sm_89
ENTRY = re.compile(
    r"Compiling entry function '(\S+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores.*?Used (\d+) registers",
    re.S)


def main():
    arch = sys.argv[1] if len(sys.argv) > 1 else "sm_87"
    root = pathlib.Path(__file__).resolve().parent.parent
    print("| kernel | registers | stack | spills | warps by registers |\n|---|---|---|---|---|")
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
            of_block = warps * 32 * ((int(registers) + 7) // 8 * 8)
            room = min(MOST_WARPS // warps, REGISTERS // of_block) * warps
            print(f"| {name} | {registers} | {stack} | {spills} | {room} of {MOST_WARPS} |")


if __name__ == "__main__":
    main()
