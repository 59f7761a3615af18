#!/usr/bin/env python3
"""Cycles of the int8 inner loops on 64-bit Arm by llvm-mca's models of cores, ours beside ggml's and KleidiAI's.

    python3 bench/mca.py [--ggml DIR] [--kleidiai DIR] [--only WORD] [--dump]

Needs aarch64-linux-gnu-g++ (tools/setup.sh ci), llvm-objdump and llvm-mca, 17 or later for the model of neoverse-n1 (Debian: llvm-19 or later). DIR is a
checkout of that project; without it its rows are left out. All are compiled by the same compiler with the same options but for scheduling.

Of each function the loop over blocks with the most multiply-accumulates is taken (* where loops lie in it, each counted once) from the object code, counted (a dot product instruction is 16, a 2x8x2 matrix
product 32, a widening multiply one for each lane, with F16 and F32 a fused multiply-add; --dump prints it) and simulated with all data in the nearest cache. The figure is cycles for 1024
multiply-accumulates. llvm-mca has no model of the Cortex-A76 and A78: it takes the A57's. Their server version is the Neoverse N1, which it has; the A710's is the N2."""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Our kernels' name: compiler option, cores, more options for ours (those of kernels/CMakeLists.txt).
SETS = {
    "neon": ("-march=armv8-a", ["cortex-a72"], ["-fno-schedule-insns"]),
    "neon_dotprod": ("-march=armv8.2-a+dotprod+fp16", ["cortex-a76", "cortex-a78", "neoverse-n1"], ["-fno-schedule-insns"]),
    "neon_i8mm": ("-march=armv8.2-a+dotprod+fp16+i8mm", ["neoverse-n2", "neoverse-v1"], ["-fno-schedule-insns"]),
}
TYPES = {"q8_0": "kQ8_0", "q4_0": "kQ4_0", "q4_1": "kQ4_1", "f16": "kF16", "f32": "kF32"}  # q4_k is packed as q4_1
FLOATS = ("f16", "f32")

OURS = """
#include <stddef.h>
#include <stdint.h>
#include "kernels/cpu/kernel_table.h"
#include TINYLLM_SIMD
#include "kernels/cpu/isa/tiles.h"
namespace tinyllm::cpu::TINYLLM_ISA {
template <int type, int tile>
TINYLLM_INLINE void block(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out, int64_t ld) {
    if constexpr (tile == 1 && (type == kF16 || type == kF32)) {
        float_row<type, kRowPanels>(w, stride, blocks, reinterpret_cast<const float*>(x.q), out);
    } else if constexpr (type == kF16 || type == kF32) {
        float_block<type, kFloatPanels, tile, 1, tile>(w, stride, kLanes, blocks, reinterpret_cast<const float*>(x.q), out, ld);
    } else if constexpr (in_pairs(tile)) {
        int_pairs<type, tile < kPairColumns ? tile : kPairColumns, tile>(w, blocks, x, out, ld);
    } else {
        int_block<type, panels_at_once(tile), tile < kIntColumns ? tile : kIntColumns, tile>(w, stride, blocks, x, out, ld);
    }
}
"""

# Set, what it computes as we name it, tokens at a time (1: decoding), file, function
GGML = [
    ("neon", "q8_0", 1, "arch/arm/quants.c", "ggml_vec_dot_q8_0_q8_0"),
    ("neon", "q4_0", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_0_q8_0"),
    ("neon", "q4_1", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_1_q8_1"),
    ("neon", "q4_1", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_K_q8_K"),
    ("neon", "f16", 1, "vec.cpp", "ggml_vec_dot_f16"),
    ("neon", "f16", 0, "llamafile/sgemm.cpp", "tinyBLASILi4E13__Float32x4_tS1_t"),
    ("neon", "f32", 0, "llamafile/sgemm.cpp", "tinyBLASILi4E13__Float32x4_tS1_fff"),
    ("neon_dotprod", "q8_0", 1, "arch/arm/quants.c", "ggml_vec_dot_q8_0_q8_0"),
    ("neon_dotprod", "q8_0", 1, "arch/arm/repack.cpp", "ggml_gemv_q8_0_4x4_q8_0"),
    ("neon_dotprod", "q8_0", 4, "arch/arm/repack.cpp", "ggml_gemm_q8_0_4x4_q8_0"),
    ("neon_dotprod", "q4_0", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_0_q8_0"),
    ("neon_dotprod", "q4_0", 1, "arch/arm/repack.cpp", "ggml_gemv_q4_0_4x4_q8_0"),
    ("neon_dotprod", "q4_0", 1, "arch/arm/repack.cpp", "ggml_gemv_q4_0_4x8_q8_0"),
    ("neon_dotprod", "q4_0", 16, "arch/arm/repack.cpp", "ggml_gemm_q4_0_4x4_q8_0"),
    ("neon_dotprod", "q4_1", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_1_q8_1"),
    ("neon_dotprod", "q4_1", 1, "arch/arm/quants.c", "ggml_vec_dot_q4_K_q8_K"),
    ("neon_dotprod", "q4_1", 1, "arch/arm/repack.cpp", "ggml_gemv_q4_K_8x4_q8_K"),
    ("neon_dotprod", "q4_1", 4, "arch/arm/repack.cpp", "ggml_gemm_q4_K_8x4_q8_K"),
    ("neon_dotprod", "f16", 1, "vec.cpp", "ggml_vec_dot_f16"),
    ("neon_dotprod", "f16", 0, "llamafile/sgemm.cpp", "tinyBLASILi8E13__Float16x8_tS1_t"),
    ("neon_dotprod", "f32", 0, "llamafile/sgemm.cpp", "tinyBLASILi4E13__Float32x4_tS1_fff"),
    ("neon_i8mm", "q8_0", 1, "arch/arm/repack.cpp", "ggml_gemv_q8_0_4x8_q8_0"),
    ("neon_i8mm", "q4_0", 1, "arch/arm/repack.cpp", "ggml_gemv_q4_0_4x8_q8_0"),
    ("neon_i8mm", "q4_1", 1, "arch/arm/repack.cpp", "ggml_gemv_q4_K_8x8_q8_K"),
    ("neon_i8mm", "q8_0", 4, "arch/arm/repack.cpp", "ggml_gemm_q8_0_4x8_q8_0"),
    ("neon_i8mm", "q4_0", 16, "arch/arm/repack.cpp", "ggml_gemm_q4_0_4x8_q8_0"),
    ("neon_i8mm", "q4_1", 4, "arch/arm/repack.cpp", "ggml_gemm_q4_K_8x8_q8_K"),
]
QSI4 = "kai/ukernels/matmul/matmul_clamp_f32_qsi8d32p_qsi4c32p/kai_matmul_clamp_f32_"
QAI4 = "kai/ukernels/matmul/matmul_clamp_f32_qsi8d32p_qai4c32p/kai_matmul_clamp_f32_"
F32 = "kai/ukernels/matmul/matmul_clamp_f32_f32_f32p/kai_matmul_clamp_f32_"
QSI8 = "kai/ukernels/matmul/matmul_clamp_f32_qai8dxp_qsi8cxp/kai_matmul_clamp_f32_"
# The qsi8cxp kernels have one scale a row, not one for each 32: nothing but products in their inner loops.
KLEIDIAI = [
    ("neon_dotprod", "q4_0", 1, QSI4 + "qsi8d32p1x4_qsi4c32p4x4_1x4_neon_dotprod_asm.S"),
    ("neon_dotprod", "q4_0", 1, QSI4 + "qsi8d32p1x8_qsi4c32p4x8_1x4x32_neon_dotprod_asm.S"),
    ("neon_dotprod", "q4_0", 16, QSI4 + "qsi8d32p4x4_qsi4c32p4x4_16x4_neon_dotprod_asm.S"),
    ("neon", "f32", 6, F32 + "f32_f32p8x1biasf32_6x8x4_neon_mla_asm.S"),
    ("neon", "f32", 6, F32 + "f32_f32p16x1b_6x16_neon_mla_asm.S"),
    ("neon_dotprod", "f32", 6, F32 + "f32_f32p8x1biasf32_6x8x4_neon_mla_asm.S"),
    ("neon_dotprod", "f32", 6, F32 + "f32_f32p16x1b_6x16_neon_mla_asm.S"),
    ("neon_dotprod", "q4_1", 1, QAI4 + "qsi8d32p1x4_qai4c32p4x4_1x4_neon_dotprod_asm.S"),
    ("neon_dotprod", "q4_1", 1, QAI4 + "qsi8d32p1x8_qai4c32p4x8_1x4_neon_dotprod_asm.S"),
    ("neon_dotprod", "q4_1", 8, QAI4 + "qsi8d32p4x4_qai4c32p4x4_8x4_neon_dotprod_asm.S"),
    ("neon_dotprod", "q8_0", 1, QSI8 + "qai8dxp1x4_qsi8cxp4x4_1x4_neon_dotprod_asm.S"),
    ("neon_dotprod", "q8_0", 16, QSI8 + "qai8dxp4x4_qsi8cxp4x4_16x4_neon_dotprod.c"),
    ("neon_i8mm", "q4_0", 16, QSI4 + "qsi8d32p4x8_qsi4c32p4x8_16x4_neon_i8mm_asm.S"),
    ("neon_i8mm", "q4_0", 8, QSI4 + "qsi8d32p4x8_qsi4c32p4x8_8x4x32_neon_i8mm_asm.S"),
    ("neon_i8mm", "q4_1", 8, QAI4 + "qsi8d32p4x8_qai4c32p4x8_8x4_neon_i8mm_asm.S"),
    ("neon_i8mm", "q8_0", 16, QSI8 + "qai8dxp4x8_qsi8cxp4x8_16x4_neon_i8mm_asm.S"),
]


def tool(name):
    found = [name] if shutil.which(name) else []
    found += [f"{name}-{version}" for version in range(30, 16, -1) if shutil.which(f"{name}-{version}")]
    if not found:
        sys.exit(f"mca.py: {name} is missing (Debian: apt-get install llvm-19)")
    return found[-1] if len(found) == 1 else found[1]


def output(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"mca.py: {command[0]}: {done.stderr.strip()[:2000]}")
    return done.stdout


class Objects:
    """Compiled files, each once for each option."""

    def __init__(self, folder):
        self.folder, self.done = folder, {}

    def code(self, source, march, *options):
        """Function name -> [(address, instruction)]"""
        key = (source, march)
        if key not in self.done:
            to = self.folder / f"{len(self.done)}.o"
            compiler = "aarch64-linux-gnu-g++" if str(source).endswith(".cpp") else "aarch64-linux-gnu-gcc"
            output(compiler, "-O3", march, *options, "-c", source, "-o", to)
            functions, lines = {}, []
            for line in output(tool("llvm-objdump"), "-d", "--no-show-raw-insn", "--mattr=+all", to).splitlines():
                if head := re.match(r"[0-9a-f]+ <(.*)>:$", line):
                    lines = functions.setdefault(head.group(1), [])
                elif part := re.match(r"\s*([0-9a-f]+):\s+(.*)", line):
                    lines.append((int(part.group(1), 16), part.group(2).split("//")[0].strip()))
            self.done[key] = functions
        return self.done[key]


def products(instruction, floats=False):
    name = instruction.split()[0]
    if floats:
        lanes = re.search(r"v\d+\.(\d)[sh]", instruction)
        return int(lanes.group(1)) if name in ("fmla", "fmls") and lanes else 0
    if name in ("sdot", "udot", "usdot"):
        return 16 if ".4s" in instruction else 8
    if name in ("smmla", "ummla", "usmmla"):
        return 32
    if re.match(r"[su]ml[as]l2?$|[su]mull2?$", name) and ".8h" in instruction:
        return 8
    return 0


def product_loop(code, scaled_rows, floats):
    """The loop to judge, and whether others lie in it: the one with the most products of those that bring a block's integer sum to float, or, where only a row has
    a scale, of the innermost ones."""
    backward = []
    for address, instruction in code:
        branch = re.match(r"(?:b\.?[a-z]*|cbn?z|tbn?z)\s.*?(0x[0-9a-f]+)(?: <.*>)?$", instruction)
        if branch and code[0][0] <= int(branch.group(1), 16) <= address:
            backward.append((int(branch.group(1), 16), address))
    inside = {pair: [other for other in backward if other != pair and pair[0] <= other[0] and other[1] <= pair[1]] for pair in backward}
    text = {pair: [line for address, line in code if pair[0] <= address <= pair[1]] for pair in backward}
    macs = {pair: sum(products(line, floats) for line in text[pair]) for pair in backward}
    scaled = {pair for pair in backward if macs[pair] and any(line.split()[0] in ("fmul", "fmla") for line in text[pair])}
    # Not the loops around: those that hold no other of the same sort.
    best = [pair for pair in scaled if not scaled & set(inside[pair])]
    if scaled_rows or floats:
        best = [pair for pair in backward if macs[pair] and not inside[pair]]
    if not best:
        return [], False
    pair = max(best, key=macs.get)
    return text[pair], bool(inside[pair])


def simulate(loop, core):
    text = "\n".join(re.sub(r"\s*<[^>]*>", "", line) for line in loop)
    report = output(tool("llvm-mca"), "-mtriple=aarch64", f"-mcpu={core}", "-mattr=+all", "-iterations=200", "-", input=text)
    return int(re.search(r"Total Cycles:\s+(\d+)", report).group(1)) / 200


def loop_products(code, kind):
    return sum(products(line, True) for line in product_loop(code, False, True)[0]) if kind in FLOATS else 0


def row(name, kind, tokens, code, cores, dump):
    floats = kind in FLOATS
    loop, nested = product_loop(code, "qsi8cxp" in name, floats)
    macs = sum(products(line, floats) for line in loop)
    if not macs:
        print(f"| {name} | {kind} | {tokens} | no loop of products found |")
        return
    cycles = [f"{1024 * simulate(loop, core) / macs:.1f}" for core in cores]
    print(f"| {name} | {kind} | {tokens} | {len(loop)}{'*' if nested else ''} / {macs} | " + " | ".join(cycles) + " |", flush=True)
    if dump:
        print("\n".join(loop))


def ours(objects, isa, march, options):
    source = objects.folder / f"{isa}.cpp"
    text = OURS
    for kind, constant in TYPES.items():
        for tile, name in (("1", "1"), ("kLargestTile", "widest")):
            text += (f'extern "C" void ours_{kind}_{name}(const uint8_t* w, int64_t stride, int64_t blocks, IntTile x, float* out, int64_t ld) {{\n'
                     f"    block<{constant}, {tile}>(w, stride, blocks, x, out, ld);\n}}\n")
    source.write_text(text + "}\n")
    return objects.code(source, march, "-std=c++20", "-ffp-contract=off", "-fno-math-errno", f"-I{ROOT}", f"-DTINYLLM_ISA={isa}",
                        '-DTINYLLM_SIMD="kernels/cpu/isa/simd/neon.h"', *options)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ggml", type=pathlib.Path, help="checkout of ggml")
    parser.add_argument("--kleidiai", type=pathlib.Path, help="checkout of KleidiAI")
    parser.add_argument("--only", default="", help="sets whose name has this")
    parser.add_argument("--dump", action="store_true", help="the loops too")
    parser.add_argument("--option", action="append", default=[], help="one more compiler option for our kernels: --option=-DNAME=VALUE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        objects = Objects(pathlib.Path(folder))
        for isa, (march, cores, own) in SETS.items():
            if args.only not in isa:
                continue
            print(f"\n{isa}: cycles for 1024 multiply-accumulates\n\n| loop | levels | tokens | instructions / products | {' | '.join(cores)} |")
            print("|---|---|---:|---:|" + "---:|" * len(cores))
            for name, code in sorted(ours(objects, isa, march, own + args.option).items()):
                if not name.startswith("ours_"):
                    continue
                kind, tokens = name.removeprefix("ours_").rsplit("_", 1)
                row("tinyllm", kind, tokens.replace("widest", "8"), code, cores, args.dump)
            for wanted, kind, tokens, file, function in GGML if args.ggml else []:
                if wanted != isa:
                    continue
                cpu = args.ggml / "src/ggml-cpu"
                includes = [f"-I{folder}" for folder in (cpu, cpu.parent, args.ggml / "include")]
                code = objects.code(cpu / file, march, "-D_GNU_SOURCE", *includes)
                found = [body for name, body in code.items() if function in name and body]
                widest = max(found, key=lambda body: (loop_products(body, kind), len(body)), default=[])
                row(function, kind, tokens or "many", widest, cores, args.dump)
            for wanted, kind, tokens, file in KLEIDIAI if args.kleidiai else []:
                if wanted != isa:
                    continue
                code = objects.code(args.kleidiai / file, march, f"-I{args.kleidiai}")
                # Labels of an assembler file are symbols too: its one function is all of them.
                body = sorted(sum(code.values(), [])) if file.endswith(".S") else max(code.values(), key=len)
                row(pathlib.Path(file).stem.removeprefix("kai_matmul_clamp_f32_"), kind, tokens, body, cores, args.dump)


if __name__ == "__main__":
    main()
