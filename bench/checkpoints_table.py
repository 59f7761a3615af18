#!/usr/bin/env python3
"""The table of docs/models.md: writes each checkpoint of the study at its real shape, loads it, compares its size with the study's,
and times a question of 100 tokens in f32 and q8_0: python bench/checkpoints_table.py --tinyllm build/tools/tinyllm WORK [hub id ...]

Needs torch. One checkpoint is on the disk at a time, at most 10 GB. The study's sizes are read from study/published.json in the folder
--shared, where it is there; a size that differs ends the run with status 1. Rows go to standard output as they come, and to WORK/rows.jsonl."""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import checkpoints
import make_checkpoints

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"
PROMPT = 100


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def study_sizes(shared):
    """Megabytes (2^20) in fp32 by hub id, where the study gives them."""
    published = shared / "study/published.json"
    if not published.exists():
        return {}
    models = json.loads(published.read_text())["models"]
    return {m["hub_id"]: m["published"]["size_mb"]["average"] for m in models if m["published"]}


def measure(tinyllm, model, repetitions):
    rows = json.loads(run(tinyllm, "bench", model, "-p", PROMPT, "-n", 0, "-r", repetitions, "--json", "-q"))
    row = (rows["rows"] if isinstance(rows, dict) else rows)[0]
    return row["model_n_params"], row["rss_peak_bytes"] / 2**20, row["avg_ns"] / 1e6


def check_loads(tinyllm, folder):
    """The publisher's own form, as it is stored."""
    ids = ",".join(str(7 * i + 3) for i in range(20))
    made = json.loads(run(tinyllm, "generate", folder, "--ids", ids, "--max-tokens", 2, "--json"))
    if len(made["tokens"]) < 1:
        sys.exit(f"{folder}: nothing was generated")


def one(tinyllm, name, work, repetitions, expected_mb):
    checkpoint = checkpoints.CHECKPOINTS[name]
    folder = work / name.replace("/", "--")
    make_checkpoints.write(folder, checkpoint)
    row = {"name": name, "family": checkpoint.config["model_type"], "form": checkpoint.form, "dtype": checkpoint.dtype}
    check_loads(tinyllm, folder)
    for kind in ("f32", "q8_0"):
        stored = kind == "f32" and checkpoint.dtype == "float32"
        model = folder if stored else work / f"{kind}.gguf"
        if not stored:
            run(tinyllm, "quantize", folder, model, "--type", kind)
        row["params"], row[f"{kind}_mb"], row[f"{kind}_ms"] = measure(tinyllm, model, repetitions)
        if not stored:
            model.unlink()
    row["size_mb"] = row["params"] * 4 / 2**20
    row["study_mb"] = expected_mb
    shutil.rmtree(folder)
    if row["params"] != checkpoints.parameters(checkpoint):
        sys.exit(f"{name}: {row['params']} parameters were read, {checkpoints.parameters(checkpoint)} written")
    return row


def line(row):
    study = "–" if row["study_mb"] is None else f"{row['study_mb']:.2f}"
    form = f"{row['form']}, {row['dtype'].replace('float', 'f')}"
    return (f"| {row['name']} | {form} | {row['params']:,} | {row['size_mb']:.2f} | {study} | {row['f32_mb']:.0f} | {row['f32_ms']:.0f} "
            f"| {row['q8_0_mb']:.0f} | {row['q8_0_ms']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="hub id", help="default: all")
    parser.add_argument("--tinyllm", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, default=SHARED)
    parser.add_argument("-r", "--repetitions", type=int, default=3)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    sizes, wrong = study_sizes(args.shared), []
    print("| checkpoint | file | parameters | MB in fp32 | the study's | f32: peak MB | ms | q8_0: peak MB | ms |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in args.names or checkpoints.CHECKPOINTS:
        row = one(args.tinyllm.resolve(), name, args.work, args.repetitions, sizes.get(name))
        with open(args.work / "rows.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
        print(line(row), flush=True)
        if row["study_mb"] is not None and abs(row["study_mb"] - row["size_mb"]) > 0.006:
            wrong.append(name)
    if wrong:
        sys.exit(f"not the study's size: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
