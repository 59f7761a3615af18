#!/usr/bin/env python3
"""Makes harness_results.json: what the real lm-evaluation-harness says of the embedded models on the embedded questions, in fp32.

  make_harness_results.py ORACLE       ORACLE is the script that runs the installed lm_eval on local files (../shared/eval/lm_eval_local.py)

Needs lm_eval 0.4.13, transformers and datasets. Of each task every accuracy is of all questions; the requests are those of the first KEPT.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EMBEDDED = os.path.join(HERE, "..", "..", "tools", "embedded")
FILES = {"arc_easy": "ARC-Easy/ARC-Easy-Test.jsonl", "boolq": "BoolQ/dev.jsonl", "openbookqa": "OpenBookQA/test.jsonl",
         "piqa": "PIQA/valid.jsonl,PIQA/valid-labels.lst", "social_iqa": "SocialIQA/dev.jsonl,SocialIQA/dev-labels.lst",
         "winogrande": "WinoGrande/dev.jsonl", "hellaswag": "HellaSwag/hellaswag_val.jsonl"}
KEPT = 30


def run(oracle, model):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        data = []
        for task, files in FILES.items():
            data += ["--data", task + "=" + ",".join(os.path.join(EMBEDDED, "questions", f) for f in files.split(","))]
        subprocess.run([sys.executable, oracle, "--model", os.path.join(EMBEDDED, "models", model), "--dtype", "float32", "--limit", "0", "--batch-size", "16", "--tasks", ",".join(FILES),
                        "--selfcheck", "3", "--out", out] + data, check=True)
        with open(out) as f:
            return json.load(f)


def compact(result):
    tasks = {}
    for task, samples in result["samples"].items():
        metrics = {k: v for k, v in result["results"][task].items() if k.startswith("acc")}
        kept = [{"gold": s["gold"], "chars": s["choice_chars"], "acc": s["acc"], "acc_norm": s["acc_norm"],
                 "requests": [{"context": r["context_tokens"], "continuation": r["continuation_tokens"], "loglikelihood": round(r["loglikelihood"], 6),
                               "is_greedy": r["is_greedy"]} for r in s["requests"]]} for s in samples[:KEPT]]
        tasks[task] = {"questions": len(samples), "metrics": metrics, "samples": kept}
    return {"versions": result["versions"], "dtype": result["dtype"], "tasks": tasks}


def write(path, results):
    """One question a line."""
    text = json.dumps(results, separators=(",", ":")).replace('{"gold"', '\n{"gold"')
    with open(path, "w") as f:
        f.write(text + "\n")


def main():
    models = sorted(os.listdir(os.path.join(EMBEDDED, "models")))
    write(os.path.join(HERE, "harness_results.json"), {m: compact(run(sys.argv[1], m)) for m in models})


if __name__ == "__main__":
    main()
