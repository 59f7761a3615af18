#!/usr/bin/env python3
"""Which GPUs the CUDA kernels compile for, and what ptxas says of them: a row of docs/cuda.md for each target.

    cuda_targets.py [--nvcc PATH] [--host g++-11] TARGET ...      TARGET as in sm_87; warnings are errors, the language is C++14"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def compiled(nvcc, host, target, source, folder):
    """What nvcc said, or None where it refused the source."""
    words = [nvcc, "-std=c++14", f"-arch={target}", "-fmad=false", "-Xcompiler=-Wall", "-Xcompiler=-Wextra", "-Werror", "all-warnings", "-Xptxas", "-v",
             f"-I{ROOT}", f"-I{ROOT}/include", "-c", source, "-o", f"{folder}/object.o"]
    done = subprocess.run(words + (["-ccbin", host] if host else []), capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{source.name}, {target}: {done.stdout}{done.stderr}", file=sys.stderr)
        return None
    return done.stderr


def row(target, told):
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", told)]
    spills = [int(n) for n in re.findall(r"(\d+) bytes spill stores", told) if int(n) > 0]
    spilled = f"{len(spills)} kernels, at most {max(spills)} bytes" if spills else "none"
    return f"| {target} | {len(registers)} | {max(registers)} | {spilled} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--host", help="the host's compiler, where nvcc does not take the default one")
    args = parser.parse_args()
    refused = False
    print("| target | kernels | most registers | spills |\n|---|---:|---:|---|")
    for target in args.targets:
        with tempfile.TemporaryDirectory() as folder:
            told = [compiled(args.nvcc, args.host, target, source, folder) for source in sorted((ROOT / "kernels/cuda").glob("*.cu"))]
        if None in told:
            refused = True
            print(f"| {target} | refused | | |", flush=True)
        else:
            print(row(target, "".join(told)), flush=True)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
