#!/usr/bin/env python3
"""Times `tinyllm eval` beside other programs that score the same questions, token for token, and prints the ratios.

    compare_eval.py --tinyllm build/release/tools/tinyllm --data DATA --folder HF_FOLDER [--file MODEL.gguf] [-t piqa] [-L 200] [--threads 2] [--types exact,f16,q8_0,q4_0]
                    [--peers harness,harness-bf16,torch-f32,torch-bf16,openvino,ctranslate2] [--batch 8] [--rounds 3] [--python NAME=PYTHON] [--work FOLDER]

tinyllm runs once per type with --type (exact: fp32 as --exact), the peers on the folder; OpenVINO on the GGUF file, whose weights need not be the folder's.
A peer runs in the Python that --python names for it (harness=/venv/bin/python), else in this one; one that cannot run is a row with the reason. Each round starts every
program anew, in an order that turns from round to round; loading and a first batch are in no time. Ratios above 1 mean tinyllm is faster.
"""
import argparse
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers.common import answer, ask, spread

PEERS = {"harness": "harness", "harness-bf16": "harness_bf16", "torch-f32": "torch_packed_f32", "torch-bf16": "torch_packed", "openvino": "openvino_int8",
         "ctranslate2": "ctranslate2_int8"}


def module(name):
    return importlib.import_module("scorers." + PEERS[name])


def ours(a, kind, folder):
    """Questions a second, and the samples."""
    words = [a.tinyllm, "-q", "eval", a.folder, "-t", a.task, "--data", a.data, "-L", str(a.limit), "--threads", str(a.threads), "-s", "-o", folder,
             "--format", "json"] + (["--exact"] if kind == "exact" else ["--type", kind]) + a.eval_flags.split()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    results = json.loads((pathlib.Path(folder) / "results.json").read_text())
    samples = [json.loads(line) for line in open(pathlib.Path(folder) / f"samples_{a.task}.jsonl", encoding="utf-8", newline="\n")]
    return results["tinyllm"]["tasks"][a.task]["questions_per_s"], samples


def questions_of(samples):
    """Longest first. A question whose choices do not share their context becomes one for each."""
    questions, expected = [], []
    for sample in samples:
        groups = {}
        for ids, (value, _) in zip(sample["tinyllm"]["tokens"], sample["resps"]):
            groups.setdefault(tuple(ids["context"]), []).append((ids["continuation"], value))
        for context, choices in groups.items():
            questions.append({"context": list(context), "choices": [c for c, _ in choices]})
            expected.append([value for _, value in choices])
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i]["context"]) - sum(map(len, questions[i]["choices"])))
    return [questions[i] for i in order], [expected[i] for i in order]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker")
    parser.add_argument("--tinyllm")
    parser.add_argument("--data")
    parser.add_argument("--folder")
    parser.add_argument("--file")
    parser.add_argument("-t", "--task", default="piqa")
    parser.add_argument("-L", "--limit", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--types", default="exact,f16,q8_0,q4_0")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--work", default=tempfile.gettempdir())
    parser.add_argument("--eval-flags", default="")
    parser.add_argument("--json", help="where the figures of each round go too")
    a = parser.parse_args()
    if a.worker:
        return answer(module(a.worker).score)
    types = a.types.split(",")
    peers = [p for p in a.peers.split(",") if p]
    pythons = dict(pair.split("=", 1) for pair in a.python)
    figures, absent, worst = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        questions = expected = None
        if "exact" not in types:  # the peers' questions come from a first run
            questions, expected = questions_of(ours(a, types[0], folder)[1])
        for i in range(a.rounds):
            order = types + [p for p in peers if p not in absent]
            turn = i % len(order) if questions else 0
            for name in order[turn:] + order[:turn]:
                if name in types:
                    speed, samples = ours(a, name, folder)
                    figures.setdefault(name, []).append(speed)
                    if questions is None:
                        questions, expected = questions_of(samples)
                    print(f"  round {i + 1}: tinyllm {name} {speed:.2f}", file=sys.stderr)
                    continue
                request = {"folder": a.folder, "file": a.file, "work": a.work, "threads": a.threads, "batch": a.batch, "questions": questions}
                reply = ask(__file__, name, request, pythons.get(name, sys.executable))
                if "unavailable" in reply:
                    absent[name] = reply["unavailable"]
                    continue
                figures.setdefault(name, []).append(a.limit / reply["seconds"])
                worst[name] = max(abs(x - y) for one, two in zip(reply["scores"], expected) for x, y in zip(one, two))
                print(f"  round {i + 1}: {name} {figures[name][-1]:.2f}", file=sys.stderr)
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps({"questions_per_s": figures, "absent": absent, "largest_difference": worst}))
    print("| | questions/s | " + " | ".join(f"tinyllm {t}" for t in types) + " |")
    print("|---|---|" + "---|" * len(types))
    for t in types:
        print(f"| tinyllm {t} | {spread(figures[t])} |" + " |" * len(types))
    for p in peers:
        if p not in figures:
            print(f"| {module(p).NAME} | {absent.get(p)} |" + " |" * len(types))
            continue
        ratios = [spread([x / y for x, y in zip(figures[t], figures[p])]) for t in types]
        print(f"| {module(p).NAME} | {spread(figures[p])} | " + " | ".join(ratios) + " |")
    return None


if __name__ == "__main__":
    sys.exit(main())
