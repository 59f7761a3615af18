#!/usr/bin/env python3
"""How much of its decode speed tinyllm (and llama.cpp) keeps while other processes are busy on the same cores.

    busy_neighbour.py --tinyllm build/release/tools/tinyllm MODEL.gguf [MODEL2.gguf …] [-t 2] [-n 32] [--rounds 3] [--cores 0,1]
                      [--llama-cpp] [--neighbours 0,1,all]

A neighbour is `yes >/dev/null`, pinned to one core; the programs see only --cores (default: two of those this process may use),
and the first neighbour sits on the last of them. In each round every setting runs once, one after the other, each in a
new process with a warm-up inside. Prints medians [least, most] of the rounds, in tokens per second, and what each round kept of the
same round's quiet speed. With --llama-cpp the Python that runs this needs llama_cpp.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

import compare_peers


@contextlib.contextmanager
def neighbours(cores):
    busy = [subprocess.Popen(["yes"], stdout=subprocess.DEVNULL, preexec_fn=lambda c=c: os.sched_setaffinity(0, {c})) for c in cores]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measure(arguments, who, path, threads):
    if who == "tinyllm":
        return compare_peers.run_tinyllm(arguments.tinyllm, path, threads, 0, arguments.n_gen)["tg_ts"]
    return compare_peers.run_peer(path, threads, 0, arguments.n_gen)["tg_ts"]


def spread(values, scale=1, unit=""):
    return f"{statistics.median(values) * scale:.3g}{unit} [{min(values) * scale:.3g}, {max(values) * scale:.3g}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--tinyllm", required=True, help="the tinyllm command")
    parser.add_argument("--llama-cpp", action="store_true", help="time llama.cpp too, through llama-cpp-python")
    parser.add_argument("-t", "--threads", default="2", help="thread counts, separated by commas")
    parser.add_argument("-n", "--n-gen", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", help="cores to run on, separated by commas")
    parser.add_argument("--neighbours", default="0,1,all", help="how many, separated by commas; all: one on each core")
    parser.add_argument("--json", metavar="PATH", help="also write every sample there")
    arguments = parser.parse_args()

    cores = [int(c) for c in arguments.cores.split(",")] if arguments.cores else sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)  # inherited by all that is started
    counts = [len(cores) if c == "all" else int(c) for c in arguments.neighbours.split(",")]
    if 0 not in counts or not all(0 <= c <= len(cores) for c in counts):
        parser.error(f"--neighbours: 0 must be among them, and none above the {len(cores)} cores")
    programs = ["tinyllm"] + ["llama.cpp"] * arguments.llama_cpp

    print("| model | threads | program | " + " | ".join(f"{c} busy: tok/s" + (" | kept" if c else "") for c in counts) + " |")
    print("|" + " --- |" * (3 + sum(2 if c else 1 for c in counts)), flush=True)
    rows = []
    for path in arguments.models:
        for threads in (int(t) for t in arguments.threads.split(",")):
            samples = {(who, count): [] for who in programs for count in counts}
            for i in range(arguments.rounds):
                for count in counts:
                    for who in programs if i % 2 == 0 else programs[::-1]:
                        with neighbours(cores[len(cores) - count:]):
                            samples[who, count].append(measure(arguments, who, path, threads))
                print(f"  {os.path.basename(path)}, {threads} threads: round {i + 1}/{arguments.rounds}", file=sys.stderr)
            for who in programs:
                cells = []
                for count in counts:
                    cells.append(spread(samples[who, count]))
                    if count:
                        cells.append(spread([v / q for v, q in zip(samples[who, count], samples[who, 0])], 100, " %"))
                print(f"| {os.path.basename(path)} | {threads} | {who} | " + " | ".join(cells) + " |", flush=True)
                rows.append({"model": os.path.basename(path), "threads": threads, "program": who,
                             "neighbours": {str(count): samples[who, count] for count in counts}})
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"schema": "tinyllm.busy_neighbour/1", "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
