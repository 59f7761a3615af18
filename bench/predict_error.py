#!/usr/bin/env python3
"""How far `tinyllm predict` is off on this machine: the tables of docs/predict.md.

    predict_error.py measure OUT --tinyllm build/release/tools/tinyllm MODEL.gguf ... [-t 1,2] [-r 5]
    predict_error.py compare OUT --tinyllm build/release/tools/tinyllm [--held-out WORD ...] [--rows]

`measure` writes, for each model, the machine as `predict --calibrate` finds it and then `bench`'s rows: a prompt of 100 tokens, 24 generated
behind it, a question, the peak of resident memory. `compare` predicts the same from that machine's file and prints (estimated - measured) /
measured. Models with a WORD in their names are those that no share was fitted to. Medians of the repetitions; nothing else should run."""
import argparse
import json
import pathlib
import statistics
import subprocess

PROMPT, GENERATED = 100, 24


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def measure(args):
    args.out.mkdir(parents=True, exist_ok=True)
    for model in args.models:
        rows = []
        board = args.out / f"{model.stem}.board.json"
        run(args.tinyllm, "predict", "--calibrate", board, "-t", max(args.threads))
        for threads in args.threads:
            # A process for each, so that the peak is of that run alone.
            rows += json.loads(run(args.tinyllm, "bench", model, "-p", PROMPT, "-n", GENERATED, "-d", f"0,{PROMPT}", "--question", "-t", threads,
                                   "-r", args.repetitions, "--device", "cpu", "--idle", "0", "--json"))
        (args.out / f"{model.stem}.json").write_text(json.dumps({"model": str(model.resolve()), "rows": rows}))


def measured_ms(row):
    return statistics.median(row["samples_ns"]) / 1e6 / max(row["n_gen"], 1)


def predicted(args, found, board, threads):
    document = json.loads(run(args.tinyllm, "predict", found["model"], "--board", board, "-t", threads, "-p", PROMPT, "-n", GENERATED, "--device", "cpu",
                              "--json"))
    return document["rows"][0]


def errors_of(args, path):
    """(model, threads, what, measured, estimated)"""
    found = json.loads(path.read_text())
    out = []
    for threads in sorted({row["n_threads"] for row in found["rows"]}):
        guess = predicted(args, found, path.with_suffix(".board.json"), threads)
        rows = [row for row in found["rows"] if row["n_threads"] == threads]
        for row in rows:
            if row["n_answers"]:
                out.append((path.stem, threads, "question", measured_ms(row), guess["question_ms_estimated"]))
            elif row["n_prompt"] == PROMPT and row["n_depth"] == 0:
                out.append((path.stem, threads, "prefill", measured_ms(row), guess["prompt_ms_estimated"]))
            elif row["n_gen"] and row["n_depth"] == PROMPT:
                out.append((path.stem, threads, "decode", measured_ms(row), guess["token_ms_estimated"]))
        out.append((path.stem, threads, "peak", max(row["rss_peak_bytes"] for row in rows) / 1e6, guess["peak_bytes_estimated"] / 1e6))
    # bench --question times a prompt of its own too
    return list({entry[:3]: entry for entry in out}.values())


def compare(args):
    entries = [e for path in sorted(args.out.glob("*.json")) if ".board" not in path.name for e in errors_of(args, path)]
    held = lambda name: any(word in name for word in args.held_out)  # noqa: E731
    if args.rows:
        print("| model | threads | figure | measured | estimated | error |\n|---|---:|---|---:|---:|---:|")
        for model, threads, what, measured, guess in sorted(entries, key=lambda e: (held(e[0]), e)):
            print(f"| {model}{' (held out)' if held(model) else ''} | {threads} | {what} | {measured:.4g} | {guess:.4g} | {guess / measured - 1:+.1%} |")
    print("| | figure | threads | n | mean of absolute errors | median | largest | bias |\n|---|---|---:|---:|---:|---:|---:|---:|")
    for group in (False, True):
        for what in ("prefill", "decode", "question", "peak"):
            for threads in sorted({e[1] for e in entries}):
                errors = [e[4] / e[3] - 1 for e in entries if held(e[0]) == group and e[2] == what and e[1] == threads]
                if not errors:
                    continue
                absolute = [abs(e) for e in errors]
                print(f"| {'held out' if group else 'fitted'} | {what} | {threads} | {len(errors)} | {statistics.mean(absolute):.1%} | {statistics.median(absolute):.1%} "
                      f"| {max(absolute):.1%} | {statistics.mean(errors):+.1%} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("measure", "compare"))
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--tinyllm", required=True)
    parser.add_argument("-t", "--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("-r", "--repetitions", type=int, default=5)
    parser.add_argument("--held-out", nargs="*", default=[])
    parser.add_argument("--rows", action="store_true")
    args = parser.parse_intermixed_args()
    (measure if args.task == "measure" else compare)(args)


if __name__ == "__main__":
    main()
