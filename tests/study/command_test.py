#!/usr/bin/env python3
"""The eval and study commands from outside: exit codes, files, signals, the lock. Uses the embedded models."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("TINYLLM_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TINYLLM = os.environ.get("TINYLLM", "")
EMBEDDED = os.path.join(SOURCE, "tools", "embedded")
MODELS = os.path.join(EMBEDDED, "models")
QUESTIONS = os.path.join(EMBEDDED, "questions")

if not TINYLLM or not os.path.exists(TINYLLM) or not os.path.isdir(MODELS) or not os.listdir(MODELS):
    print("skipped: needs the tinyllm command and the embedded models")
    sys.exit(77)
MODEL = os.path.join(MODELS, sorted(os.listdir(MODELS))[0])
STUDY = [TINYLLM, "study", "--models", MODEL, "--data", QUESTIONS, "--types", "f32,q8_0"]


def run(*arguments, **keywords):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=600, **keywords)


def expect(result, code, *words):
    assert result.returncode == code, (result.returncode, code, result.stdout[-500:], result.stderr[-500:])
    for word in words:
        assert word in result.stdout + result.stderr, (word, result.stdout[-500:], result.stderr[-500:])
    if code not in (0, 8):
        assert len(result.stderr.strip().split("\n")) == 1, result.stderr
    return result


def beside_published_figures(folder):
    """A model is known by its name: one of ours under a published model's."""
    named, out = os.path.join(folder, "SmolLM-135M"), os.path.join(folder, "published")
    os.symlink(MODEL, named)
    expect(run(TINYLLM, "study", "--models", named, "--data", QUESTIONS, "--types", "q8_0", "--protocol", "study", "--tasks", "piqa,boolq", "-L", 12, "-o", out), 0,
           "beside HuggingFaceTB/SmolLM-135M as published")
    for sides in ([out, "published"], ["published", out]):
        rows = json.loads(expect(run(TINYLLM, "study", "compare", *sides, "--json"), 0).stdout)
        assert [(r["task"], r["published_n"], r["n"]) for r in rows] == [("piqa", 1000, 12), ("boolq", 1000, 12)], rows
        assert rows[0]["published_ms"] == 138.117 and rows[0]["ms"] > 0 and abs(rows[1]["published_acc"] - 0.604) < 1e-9, rows
    expect(run(TINYLLM, "study", "compare", out, "published"), 0, "- SmolLM-135M q8_0 beside HuggingFaceTB/SmolLM-135M")
    with open(os.path.join(out, "report.html")) as f:
        assert "Beside the published figures" in f.read()
    with open(os.path.join(out, "results.md")) as f:
        assert "## Beside the published figures" in f.read()


def eval_command(folder):
    out = os.path.join(folder, "eval")
    expect(run(TINYLLM, "eval", MODEL, "-t", "piqa,boolq", "--data", QUESTIONS, "-L", 6, "--exact", "-s", "-o", out), 0, "piqa", "boolq")
    with open(os.path.join(out, "results.json")) as f:
        results = json.load(f)
    assert 0 <= results["results"]["piqa"]["acc_norm,none"] <= 1 and "acc_norm,none" not in results["results"]["boolq"]
    assert results["n-samples"]["piqa"] == {"original": 100, "effective": 6}, results["n-samples"]
    with open(os.path.join(out, "samples_piqa.jsonl")) as f:
        samples = [json.loads(line) for line in f]
    assert [s["doc_id"] for s in samples] == list(range(6))
    for s in samples:
        assert len(s["resps"]) == 2 and s["acc"] == float(s["resps"][s["target"]][0] == max(r[0] for r in s["resps"]))
    together = os.path.join(folder, "batch")
    expect(run(TINYLLM, "eval", MODEL, "-t", "piqa", "--data", QUESTIONS, "-L", 6, "--exact", "-s", "-o", together, "-b", 4), 0)
    with open(os.path.join(together, "samples_piqa.jsonl")) as f:
        assert [json.loads(line)["resps"] for line in f] == [s["resps"] for s in samples], "exact results depend on the batch"

    common = [TINYLLM, "eval", MODEL, "-t", "piqa", "--data", QUESTIONS, "-L", 5]
    unsure = [TINYLLM, "eval", MODEL, "-t", "boolq", "--data", QUESTIONS, "-L", 80]
    expect(run(*unsure, "--threshold", "boolq=1.0", "--format", "json"), 8, "below the threshold")
    expect(run(*common, "--threshold", "piqa=0"), 0)
    expect(run(*common, "--threshold", "piqa=x"), 2, "--threshold")
    own = expect(run(*common, "-f", 3, "--format", "json"), 0, "piqa:train=FILE", "train.jsonl", "examples are drawn from")
    assert json.loads(own.stdout)["configs"]["piqa"]["examples_file"].startswith(QUESTIONS)
    expect(run(*common, "-f", -1), 2, "--num-fewshot")
    expect(run(*common, "-f", 3, "--protocol", "study"), 2, "--num-fewshot", "lm-eval")
    shown = os.path.join(folder, "shown")
    pool = os.path.join(folder, "pool.jsonl")
    with open(pool, "w") as f:
        f.writelines(json.dumps({"goal": f"goal {i}", "sol1": f"one {i}", "sol2": f"two {i}", "label": i % 2}) + "\n" for i in range(30))
    few = expect(run(*common, "-f", 2, "--data", "piqa:train=" + pool, "-s", "-o", shown, "--format", "json"), 0)
    results = json.loads(few.stdout)
    assert results["n-shot"] == {"piqa": 2} and results["configs"]["piqa"]["num_fewshot"] == 2, results["configs"]
    assert results["configs"]["piqa"]["examples_file"] == pool and results["config"]["fewshot_seed"] == 1234
    with open(os.path.join(shown, "samples_piqa.jsonl")) as f:
        shown = [json.loads(line)["arguments"]["gen_args_0"]["arg_0"] for line in f]
    assert all(context.count("\n\nQuestion: ") == 2 and context.startswith("Question: goal ") for context in shown), shown[0]
    assert len({context.split("\n\n")[0] for context in shown}) > 1, "every question draws its own examples"
    expect(run(*common, "--protocol", "other"), 2, "--protocol")
    expect(run(TINYLLM, "eval", MODEL, "-t", "mmlu", "--data", QUESTIONS), 2, "mmlu", "winogrande")
    expect(run(TINYLLM, "eval", MODEL, "-t", "arc_challenge", "--data", QUESTIONS), 3, "ARC-Challenge-Test.jsonl")
    expect(run(TINYLLM, "eval", os.path.join(folder, "none"), "-t", "piqa", "--data", QUESTIONS), 3)
    bad = os.path.join(folder, "piqa.jsonl")
    with open(bad, "w") as f:
        f.write('{"goal":"g","sol1":"a","sol2":"b","label":0}\n{"goal":"g","sol1":"a","label":0}\n')
    expect(run(TINYLLM, "eval", MODEL, "-t", "piqa", "--data", "piqa=" + bad), 7, "piqa.jsonl:2", "sol2")
    blocked = os.path.join(folder, "file")
    open(blocked, "w").close()
    expect(run(*common, "-o", os.path.join(blocked, "out")), 1, blocked)


def exports(folder):
    """The tables of a finished study, alone and in every form."""
    report = [TINYLLM, "study", "report", folder]
    cells = list(csv.DictReader(io.StringIO(expect(run(*report, "--table", "cells", "--format", "csv"), 0).stdout)))
    with open(os.path.join(folder, "results.json")) as f:
        results = json.load(f)
    assert [(c["model"], c["type"], c["protocol"], c["task"]) for c in cells] == [(c["model"], c["type"], c["protocol"], c["task"]) for c in results["cells"]]
    assert all(abs(float(c["acc"]) - r["results"]["acc,none"]) < 1e-12 for c, r in zip(cells, results["cells"]))
    bits = json.loads(expect(run(*report, "--table", "bits", "--format", "json"), 0).stdout)
    assert [(r["protocol"], r["type"]) for r in bits] == [(p, t) for p in ("lm-eval", "study") for t in ("f32", "q8_0")], bits
    assert bits[0]["difference"] is None and bits[0]["kept"] == 100 and bits[1]["bits"] < bits[0]["bits"], bits
    expect(run(*report, "--table", "accuracy", "--format", "md"), 0, "| model", "protocol study")
    expect(run(*report, "--table", "accuracy", "--format", "latex"), 0, "\\begin{tabular}", "q8\\_0", "$\\pm$")
    expect(run(*report, "--table", "accuracy", "--format", "docx"), 2, "latex")
    expect(run(*report, "--table", "everything"), 2, "accuracy, cost, bits")
    expect(run(*report, "--table", "boards"), 3, "boards")
    expect(run(*report, "--no-texts"), 0)
    with open(os.path.join(folder, "report.html")) as f:
        assert "Texts are missing" in f.read()
    if shutil.which("pdflatex"):
        paper = os.path.join(folder, "paper.tex")
        with open(paper, "w") as f:
            f.write("\\documentclass{article}\\begin{document}\\input{results.tex}\\end{document}\n")
        expect(run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex", cwd=folder), 0)


def study_command(folder):
    plan = expect(run(*STUDY, "--plan"), 0).stdout
    assert plan.count("q8_0") == 1 and "28 cells in 2 loads" in plan and "hellaswag (100)" in plan and "estimated peak" in plan, plan
    whole = os.path.join(folder, "whole")
    limit = ["--limit", "30"]
    expect(run(*STUDY, *limit, "-o", whole), 0, "average")
    for name in ("results.json", "results.csv", "results.md", "results.tex", "report.html"):
        assert os.path.getsize(os.path.join(whole, name)) > 1000, name
    before = os.path.getmtime(os.path.join(whole, "journal"))
    expect(run(*STUDY, *limit, "-o", whole), 0)
    assert os.path.getmtime(os.path.join(whole, "journal")) == before, "something was run again"
    expect(run(TINYLLM, "study", "report", "-o", whole), 0, "average")
    exports(whole)

    # A second writer is refused; the first ends with the signal's code and goes on later.
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        folder_ = os.path.join(folder, f"signal{code}")
        process = subprocess.Popen([*STUDY, "-o", folder_], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(os.path.join(folder_, "journal")) or not os.listdir(os.path.join(folder_, "journal")):
            time.sleep(0.01)
        if process.poll() is None:
            expect(run(*STUDY, "-o", folder_), 1, "another")
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (code, 0), (process.returncode, code, errors)
    expect(run(*STUDY, "--only", "nothing", "-o", folder), 2, "--only")
    expect(run(TINYLLM, "study", "report", os.path.join(folder, "none")), 3)


def main():
    with tempfile.TemporaryDirectory() as folder:
        eval_command(folder)
        study_command(folder)
        beside_published_figures(folder)
    print("ok")


if __name__ == "__main__":
    main()
