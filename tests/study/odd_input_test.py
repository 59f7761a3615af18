#!/usr/bin/env python3
"""The eval and study commands in odd hands: closed descriptors, full disks, names that are no text, damaged folders."""

import csv
import io
import json
import os
import resource
import shutil
import subprocess
import tempfile

from command_test import MODEL, QUESTIONS, TINYLLM, expect, run

EVAL = [TINYLLM, "eval", MODEL, "-t", "piqa", "--data", QUESTIONS, "-L", 3]
STUDY = [TINYLLM, "study", "--models", MODEL, "--data", QUESTIONS, "--types", "f32", "--tasks", "piqa", "--protocol", "study", "-L", 3]


def numbers():
    """Values that are numbers to a parser, but none that can be meant."""
    for limit in ("nan", "inf", "1e300", "1.5", "-1"):
        expect(run(*EVAL[:-1], limit), 2, "--limit")
        expect(run(*STUDY[:-1], limit, "--plan"), 2, "--limit")
    for seconds in ("nan", "inf", "-1"):
        expect(run(*STUDY, "--timeout", seconds), 2, "--timeout")
    expect(run(*EVAL, "--sample-interval", "1e-9"), 2, "--sample-interval", "1ms")


def closed_descriptors(folder):
    """What is printed must not land in the file that got the closed descriptor's number."""
    for number, closed in enumerate((">&-", "<&- >&-", "<&- >&- 2>&-")):
        out = os.path.join(folder, f"closed{number}")
        words = " ".join(f"'{word}'" for word in [*STUDY, "-o", out])
        assert subprocess.run(["sh", "-c", f"{words} {closed}"], timeout=600, stderr=subprocess.DEVNULL).returncode == 1, closed
        assert os.path.getsize(os.path.join(out, ".lock")) == 0, closed
        for name in os.listdir(os.path.join(out, "journal")):
            with open(os.path.join(out, "journal", name)) as f:
                assert [json.loads(line) for line in f][-1]["end"] == "ok", closed


def unwritable_results(folder):
    """Hours of answers must not be lost with the place they were to go to."""
    out = os.path.join(folder, "unwritable")
    os.makedirs(os.path.join(out, "results.json"))
    result = run(*EVAL, "-o", out, "--json")
    assert result.returncode == 1 and "results.json" in result.stderr, result
    assert json.loads(result.stdout)["n-samples"]["piqa"]["effective"] == 3
    result = run(*EVAL, "-o", os.path.join(folder, "small"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert result.returncode == 1 and "results.json" in result.stderr and "piqa  3" in result.stdout, result


def names(folder):
    """Models are called after files, and files may be called anything."""
    out = os.path.join(folder, "names")
    paths = [os.path.join(os.fsencode(folder), name) for name in (b"\xff\xfe", b"a\nb\tc", b"=1+1", b"<script>alert(1)<", b"x|y")]
    for path in paths:
        os.symlink(os.fsencode(MODEL), path)
    words = [*STUDY, "-o", out, "--label", "@board\x1b[31m"]
    words[3] = b",".join(paths)
    result = subprocess.run([w if isinstance(w, bytes) else str(w) for w in words], capture_output=True, timeout=600)
    assert result.returncode == 0 and b"\x1b" not in result.stdout, result
    with open(os.path.join(out, "results.json")) as f:
        cells = json.load(f)["cells"]
    assert [c["status"] for c in cells] == ["ok"] * 5, cells
    assert [c["model"] for c in cells] == ["\ufffd\ufffd", "a\\nb\\tc", "=1+1", "<script>alert(1)<", "x|y"], cells
    assert {c["chance"] for c in cells} == {0.5}, cells
    with open(os.path.join(out, "results.csv"), newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["model"] for r in rows] == ["\ufffd\ufffd", "a\\nb\\tc", "'=1+1", "<script>alert(1)<", "x|y"], rows
    assert rows[0]["board"] == "'@board\\x1b[31m", rows
    with open(os.path.join(out, "results.md")) as f:
        text = f.read()
    assert "\\<script>" in text and "x\\|y" in text and "<script" not in text.replace("\\<script", ""), text
    table = run(TINYLLM, "study", "report", out, "--table", "cells", "--format", "csv").stdout
    assert [r["model"] for r in csv.DictReader(io.StringIO(table))][2] == "'=1+1"


def choices(folder):
    expect(run(*STUDY, "--types", "F32"), 2, "--types", "f32")
    plan = json.loads(run(TINYLLM, "study", "--models", MODEL, "--data", QUESTIONS, "--tasks", "piqa,all", "--plan", "--json").stdout)
    tasks = [t["task"] for t in plan["tasks"] if t["protocol"] == "study"]
    assert tasks[0] == "piqa" and len(set(tasks)) == len(tasks) > 5, tasks
    for data, says in ((folder, "not a regular file"), (os.path.join(folder, "none"), "no such file")):
        expect(run(*EVAL, "--data", "piqa=" + data), 3, says)
    rows, labels = os.path.join(folder, "rows.jsonl"), os.path.join(folder, "rows.lst")
    with open(rows, "w") as f:
        f.write(json.dumps({"goal": "g", "sol1": "a", "sol2": "b"}) + "\n" + json.dumps({"goal": "g", "sol1": "a", "sol2": "b" * 5000}) + "\n")
    with open(labels, "w") as f:
        f.write("0\n\n7\n")
    expect(run(*EVAL[:5], "--data", f"piqa={rows},{labels}"), 7, "rows.lst:3: expected a label in 0..1, found string \"7\"")
    with open(labels, "w") as f:
        f.write("0\n1\n")
    expect(run(*EVAL[:5], "--data", f"piqa={rows},{labels}"), 2, "piqa question 1: a choice of", "tokens; expected at most 512")


def damaged(folder):
    """A study's folder may come from others: one line that names it, whatever was done to it."""
    whole = os.path.join(folder, "whole")
    expect(run(*STUDY, "-o", whole), 0)
    [journal] = os.listdir(os.path.join(whole, "journal"))

    def study(edit):
        path = os.path.join(whole, "study.json")
        with open(path) as f:
            text = f.read()
        document = json.loads(text)
        edit(document)
        with open(path, "w") as f:
            json.dump(document, f)
        return path, text

    def answers(edit):
        path = os.path.join(whole, "journal", journal)
        with open(path) as f:
            text = f.read()
        lines = [json.loads(line) for line in text.splitlines()]
        edit(lines)
        with open(path, "w") as f:
            f.writelines(json.dumps(line) + "\n" for line in lines)
        return path, text

    for change, edit in ((study, lambda s: s.update(schema="tinyllm.study/9")), (study, lambda s: s.update(date=3)), (study, lambda s: s["models"][0].update(sha256=3)),
                         (study, lambda s: s["cells"][0].update(protocol="x")), (study, lambda s: s["cells"][0].update(task="../x")), (study, lambda s: s.update(models=3)),
                         (study, lambda s: s.update(machine=[1])), (answers, lambda l: l[2].pop("scores")), (answers, lambda l: l[1]["load"].update(weight_bytes="many"))):
        path, text = change(edit)
        result = expect(run(TINYLLM, "study", "report", whole), 7, whole)
        assert "json.exception" not in result.stderr, result.stderr
        with open(path, "w") as f:
            f.write(text)
    expect(run(TINYLLM, "study", "report", whole), 0)

    for i in range(2):  # journals of two other models, neither of which may go
        answers(lambda lines: lines[0].update(key=f"other{i}"))
        expect(run(*STUDY, "-o", whole), 0, "stale")
    stale = sorted(name for name in os.listdir(os.path.join(whole, "journal")) if name.endswith(".stale"))
    assert len(stale) == 2, stale

    evaluated = os.path.join(folder, "evaluated")
    expect(run(*EVAL, "-o", evaluated), 0)
    expect(run(TINYLLM, "study", "merge", evaluated, whole), 2, "holds results already")
    shutil.rmtree(evaluated)
    expect(run(TINYLLM, "study", "merge", evaluated, whole), 0)


def main():
    numbers()
    with tempfile.TemporaryDirectory() as folder:
        closed_descriptors(folder)
        unwritable_results(folder)
        names(folder)
        choices(folder)
        damaged(folder)
    print("ok")


if __name__ == "__main__":
    main()
