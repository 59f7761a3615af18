#!/usr/bin/env python3
"""Makes study_results.json: the published study's way of asking (letters), on the embedded models and questions, by the oracle's own functions.

  make_study_results.py ORACLE       ORACLE is the script with the study's rules (../shared/eval/study_local.py)

Needs torch and transformers. Per question: the prompt's length, the logits of the letters, the prediction and the right letter.
"""

import contextlib
import importlib.util
import json
import os
import sys
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"  # a question is too small a piece of work for more
HERE = os.path.dirname(os.path.abspath(__file__))
EMBEDDED = os.path.join(HERE, "..", "..", "tools", "embedded")
FILES = {"arc_easy": "ARC-Easy/ARC-Easy-Dev.jsonl", "openbookqa": "OpenBookQA/dev.jsonl", "boolq": "BoolQ/dev.jsonl", "piqa": "PIQA/valid.jsonl",
         "social_iqa": "SocialIQA/dev.jsonl", "winogrande": "WinoGrande/dev.jsonl", "hellaswag": "HellaSwag/hellaswag_val.jsonl"}
LABELS = {"piqa": "PIQA/valid-labels.lst", "social_iqa": "SocialIQA/dev-labels.lst"}


def run(oracle, model):
    oracle.DATA, oracle.FILES, oracle.LABELS = os.path.join(EMBEDDED, "questions"), FILES, LABELS
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        sys.argv = ["study", "--model", os.path.join(EMBEDDED, "models", model), "--tasks", ",".join(FILES), "--out", out]
        with contextlib.redirect_stdout(sys.stderr):
            oracle.main()
        with open(out) as f:
            result = json.load(f)
    for task in result["tasks"].values():
        right = [s["gold"] for s in task["samples"]]
        task["best_constant"] = max(right.count(letter) for letter in "ABCD") / len(right)
        for s in task["samples"]:
            s["option_logits"] = [round(x, 5) for x in s["option_logits"]]
    return result


def main():
    spec = importlib.util.spec_from_file_location("study_local", sys.argv[1])
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    models = sorted(os.listdir(os.path.join(EMBEDDED, "models")))
    results = {m: run(oracle, m) for m in models}
    with open(os.path.join(HERE, "study_results.json"), "w") as f:
        f.write(json.dumps(results, separators=(",", ":")).replace('{"n_tokens"', '\n{"n_tokens"') + "\n")


if __name__ == "__main__":
    main()
