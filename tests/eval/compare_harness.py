#!/usr/bin/env python3
"""Runs the real lm-evaluation-harness and the study's oracle beside `tinyllm eval` on the official data sets, and compares every request.

  compare_harness.py TINYLLM MODEL [--limit 100] [--tasks a,b] [--num-fewshot 0] [--shared ../shared] [--python PYTHON]

MODEL is a Hugging Face folder (make_models.py writes one of each family). Needs the folder with the oracles and data sets (eval/lm_eval_local.py, eval/study_local.py, data/) and a
Python with lm_eval, torch and transformers; exits with 77 where they are absent, 1 where anything differs.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ALL = "arc_easy,arc_challenge,openbookqa,boolq,piqa,social_iqa,winogrande,hellaswag"
PREFIX = shlex.split(os.environ.get("TINYLLM_PREFIX", ""))  # in front of what computes: "nice -n 15" on a shared machine
# The official training files are not at hand. Examples are drawn from what is: another split, or the scored file itself, where the harness leaves the
# question out.
TRAINING = {
    "arc_easy": ("ARC-Easy/ARC-Easy-Dev.jsonl",),
    "arc_challenge": ("ARC-Challenge/ARC-Challenge-Dev.jsonl",),
    "openbookqa": ("OpenBookQA/dev.jsonl",),
    "boolq": ("BoolQ/superglue_val.jsonl",),
    "piqa": ("PIQA/valid.jsonl", "PIQA/valid-labels.lst"),
    "social_iqa": ("SocialIQA/dev.jsonl", "SocialIQA/dev-labels.lst"),
    "winogrande": ("WinoGrande/dev.jsonl",),
    "hellaswag": ("HellaSwag/hellaswag_val_1000.jsonl",),
}


def edge(args, task):
    """FILE[,LABELS] with the oracle's own odd rows; both tasks of ARC share theirs."""
    names = [os.path.join(args.shared, "eval", "edge", task.replace("arc_challenge", "arc_easy") + end) for end in (".jsonl", "-labels.lst")]
    return ",".join(filter(os.path.exists, names))


def training(args, task):
    return edge(args, task) if args.edge else ",".join(os.path.join(args.shared, "data", name) for name in TRAINING[task])


def ours(args, protocol, tasks, folder, shots=0):
    command = [*PREFIX, args.tinyllm, "eval", args.model, "-t", tasks, "--protocol", protocol, "--exact", "-s", "-o", folder, "--format", "json",
               "-f", str(shots)]
    for data in [f"{task}={edge(args, task)}" for task in tasks.split(",")] if args.edge else [os.path.join(args.shared, "data")]:
        command += ["--data", data]
    if args.limit:
        command += ["-L", str(args.limit)]
    for task in tasks.split(",") if shots else []:
        command += ["--data", f"{task}:train={training(args, task)}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(folder, "results.json")) as f:
        return json.load(f)


def read_samples(folder, task):
    with open(os.path.join(folder, f"samples_{task}.jsonl"), encoding="utf-8", newline="") as f:
        return [json.loads(line) for line in f.read().split("\n") if line]


def harness(args, tasks, out, shots=0):
    """Writes what the real harness says to `out`."""
    command = [*PREFIX, args.python, os.path.join(HERE, "harness_oracle.py"), os.path.join(args.shared, "eval", "lm_eval_local.py"), "--model", args.model,
               "--dtype", "float32", "--tasks", tasks, "--limit", str(args.limit), "--batch-size", "8", "--num-fewshot", str(shots), "--out", out]
    for task in tasks.split(",") if shots else []:
        command += ["--train", f"{task}={training(args, task)}"]
    for task in tasks.split(",") if args.edge else []:
        command += ["--data", f"{task}={edge(args, task)}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Report:
    def __init__(self):
        self.errors = 0

    def differ(self, *words):
        self.errors += 1
        if self.errors <= 20:
            print("  DIFFERENT:", *words)


def compare_task(task, theirs, samples, their_results, our_results, report):
    """Every request and every figure of one task. Returns what was seen."""
    before = report.errors
    seen = {"questions": len(theirs), "requests": 0, "ids_differ": 0, "difference": 0.0, "of_tolerance": 0.0, "truncated": 0}
    if len(theirs) != len(samples):
        report.differ(task, "questions", len(theirs), len(samples))
        return {**seen, "differences": report.errors - before}
    for sample, mine in zip(theirs, samples):
        gold = sample["gold"]
        if mine["tinyllm"]["gold"] != gold:
            report.differ(task, sample["doc_id"], "gold", gold, mine["tinyllm"]["gold"])
        seen["truncated"] += mine["tinyllm"]["truncated"]
        for i, request in enumerate(sample["requests"]):
            seen["requests"] += 1
            pair = mine["arguments"][f"gen_args_{i}"]
            if (pair["arg_0"], pair["arg_1"]) != (request["context"], request["continuation"]):
                report.differ(task, sample["doc_id"], i, "text", request["context"], "|", request["continuation"], "|", pair)
            ids = mine["tinyllm"]["tokens"][i]
            if ids["context"] != request["context_tokens"] or ids["continuation"] != request["continuation_tokens"]:
                seen["ids_differ"] += 1
                report.differ(task, sample["doc_id"], i, "token ids", request["context_tokens"][-3:], request["continuation_tokens"],
                              ids["context"][-3:], ids["continuation"])
            value, expected = mine["resps"][i][0], request["loglikelihood"]
            difference, tolerance = abs(value - expected), 1e-3 + 1e-5 * abs(expected)
            seen["difference"] = max(seen["difference"], difference)
            seen["of_tolerance"] = max(seen["of_tolerance"], difference / tolerance)
            if difference > tolerance:
                report.differ(task, sample["doc_id"], i, "log-likelihood", expected, value)
            if mine["resps"][i][1] != request["is_greedy"]:
                report.differ(task, sample["doc_id"], i, "is_greedy", request["is_greedy"])
        for metric in ("acc", "acc_norm"):
            if sample.get(metric) is not None and mine.get(metric) != sample[metric]:
                report.differ(task, sample["doc_id"], metric, sample[metric], mine.get(metric))
    for key in ("acc,none", "acc_stderr,none", "acc_norm,none", "acc_norm_stderr,none"):
        if (key in their_results) != (key in our_results):
            report.differ(task, key, "present in one only")
        elif key in their_results and abs(their_results[key] - our_results[key]) > 1e-12:
            report.differ(task, key, their_results[key], our_results[key])
    return {**seen, "differences": report.errors - before, "acc": our_results["acc,none"], "acc_norm": our_results.get("acc_norm,none")}


def compare_lm_eval(args, folder, report):
    out = os.path.join(folder, "harness.json")
    harness(args, args.tasks, out, args.num_fewshot)
    with open(out) as f:
        theirs = json.load(f)
    results = ours(args, "lm-eval", args.tasks, os.path.join(folder, "ours"), args.num_fewshot)
    for task, samples in theirs["samples"].items():
        seen = compare_task(task, samples, read_samples(os.path.join(folder, "ours"), task), theirs["results"][task], results["results"][task], report)
        print(f"lm-eval {task:14s} {seen['questions']:5d} questions {seen['requests']:6d} requests, largest difference of log-likelihoods "
              f"{seen['difference']:.2e}, acc {results['results'][task]['acc,none']:.4f}")


def compare_study(args, folder, report):
    tasks = ",".join(t for t in args.tasks.split(",") if t != "arc_challenge")  # the study has none
    out = os.path.join(folder, "study.json")
    subprocess.run([args.python, os.path.join(args.shared, "eval", "study_local.py"), "--model", args.model, "--tasks", tasks, "--limit",
                    str(args.limit), "--out", out], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(out) as f:
        oracle = json.load(f)
    results = ours(args, "study", tasks, os.path.join(folder, "ours_study"))
    samples = {task: read_samples(os.path.join(folder, "ours_study"), task) for task in tasks.split(",")}
    for task, theirs in oracle["tasks"].items():
        worst = 0.0
        if theirs["n"] != len(samples[task]):
            report.differ(task, "questions", theirs["n"], len(samples[task]))
            continue
        for i, (sample, mine) in enumerate(zip(theirs["samples"], samples[task])):
            if sample["n_tokens"] != len(mine["tinyllm"]["tokens"]):
                report.differ(task, i, "tokens", sample["n_tokens"], len(mine["tinyllm"]["tokens"]))
            logits = [r[0] for r in mine["resps"]]
            if len(logits) != len(sample["option_logits"]):
                report.differ(task, i, "options", sample["option_logits"], logits)
                continue
            difference = max(abs(a - b) for a, b in zip(logits, sample["option_logits"]))
            worst = max(worst, difference)
            if difference > 1e-3:
                report.differ(task, i, "logits", sample["option_logits"], logits)
            if "ABCD"[mine["tinyllm"]["prediction"]] != sample["prediction"]:
                report.differ(task, i, "prediction", sample["prediction"], mine["tinyllm"]["prediction"])
        if abs(theirs["accuracy"] - results["results"][task]["acc,none"]) > 1e-12:
            report.differ(task, "accuracy", theirs["accuracy"], results["results"][task]["acc,none"])
        print(f"study   {task:14s} {theirs['n']:5d} questions, largest difference of logits {worst:.2e}, acc {theirs['accuracy']:.4f}")


def oracles_absent(args):
    needed = [os.path.join(args.shared, "eval", name) for name in ("lm_eval_local.py", "study_local.py")]
    have_python = subprocess.run([args.python, "-c", "import lm_eval, torch, transformers"], capture_output=True).returncode == 0
    if all(map(os.path.exists, needed)) and have_python:
        return False
    print("skipped: needs", ", ".join(needed), "and a Python with lm_eval, torch and transformers")
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tinyllm")
    parser.add_argument("model")
    parser.add_argument("--limit", type=int, default=100, help="questions per task; 0: all")
    parser.add_argument("--tasks", default=ALL)
    parser.add_argument("--num-fewshot", type=int, default=0)
    parser.add_argument("--shared", default=os.path.join(HERE, "..", "..", "..", "shared"))
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    args.edge = False
    if oracles_absent(args):
        return 77
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        compare_lm_eval(args, folder, report)
        with open(os.path.join(args.model, "config.json")) as f:
            causal = not json.load(f).get("is_encoder_decoder")
        if args.num_fewshot:
            print("study   left out: it asks without examples")
        elif causal:
            compare_study(args, folder, report)
        else:
            print("study   left out: its oracle knows causal models only")
    print(f"{report.errors} differences")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
