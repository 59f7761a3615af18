#!/usr/bin/env python3
"""Parity with lm-evaluation-harness over whole data sets: a small model of every family, every task, without and with examples.

  parity.py TINYLLM WORK [--models a,b] [--shots 0,5] [--limit N] [--edge] [--shared ../shared] [--python PYTHON]

WORK keeps the models (make_models.py), what the harness said (delete harness/ to ask it again) and results.json; a second call runs only what is
missing there and `tinyllm`'s side. Prints a table. Exits with 1 where a token id, a log-likelihood beyond 1e-3 + 1e-5 |LL|, an answer or an
accuracy differs, with 77 where the oracle is absent.
"""

import argparse
import json
import os
import subprocess
import sys

import compare_harness

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = "gpt2,opt,gpt_neox,bloom,llama,smollm,mistral,qwen2,phonelm,stablelm,t5,llama3,opt_350m,t5_tied"
GROUPS = ["arc_easy", "boolq", "piqa,arc_challenge,openbookqa", "social_iqa,winogrande,hellaswag"]  # each a few minutes


class Runner:
    def __init__(self, args):
        self.args, self.report = args, compare_harness.Report()
        self.results_path = os.path.join(args.work, "results.json")
        self.results = {}
        if os.path.exists(self.results_path):
            with open(self.results_path) as f:
                self.results = json.load(f)

    def folder(self, *names):
        path = os.path.join(self.args.work, *names)
        os.makedirs(path, exist_ok=True)
        return path

    def model(self, name):
        self.args.model = os.path.join(self.folder("models"), name)
        if not os.path.exists(os.path.join(self.args.model, "config.json")):
            subprocess.run([*compare_harness.PREFIX, self.args.python, os.path.join(HERE, "make_models.py"), self.folder("models"),
                            os.path.join(self.args.shared, "data"), name], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def harness(self, name, shots, tasks):
        out = os.path.join(self.folder("harness"), f"{name}-{shots}-{self.args.which}-{tasks.split(',')[0]}.json")
        if not os.path.exists(out):
            compare_harness.harness(self.args, tasks, out + ".part", shots)
            os.rename(out + ".part", out)
        with open(out) as f:
            return json.load(f)

    def compare(self, name, shots, tasks):
        theirs = self.harness(name, shots, tasks)
        folder = self.folder("ours", f"{name}-{shots}-{self.args.which}")
        results = compare_harness.ours(self.args, "lm-eval", tasks, folder, shots)
        for task, samples in theirs["samples"].items():
            seen = compare_harness.compare_task(task, samples, compare_harness.read_samples(folder, task), theirs["results"][task],
                                                results["results"][task], self.report)
            self.results[f"{name} {shots} {task} {self.args.which}"] = {"model": name, "shots": shots, "rows": self.args.which, "task": task, **seen}
        with open(self.results_path, "w") as f:
            json.dump(self.results, f, indent=1)


def table(rows):
    """One line a model and number of examples; tasks beside each other hold the largest difference as a share of what is allowed."""
    tasks = compare_harness.ALL.split(",")
    lines = ["| model | examples | rows | " + " | ".join(tasks) + " | requests | token ids | accuracies |", "|---" * (len(tasks) + 6) + "|"]
    for line in dict.fromkeys((row["shots"], row["rows"], row["model"]) for row in rows):
        shots, which, model = line
        here = {row["task"]: row for row in rows if (row["shots"], row["rows"], row["model"]) == line}
        cells = [f"{here[task]['of_tolerance']:.3f}" if task in here else "" for task in tasks]
        ids = sum(row["ids_differ"] for row in here.values())
        wrong = sum(row["differences"] for row in here.values())
        lines.append(f"| {model} | {shots} | {which} | {' | '.join(cells)} | {sum(row['requests'] for row in here.values())} | "
                     f"{'equal' if ids == 0 else f'{ids} differ'} | {'equal' if wrong == 0 else f'{wrong} differences'} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tinyllm")
    parser.add_argument("work")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--shots", default="0,5")
    parser.add_argument("--tasks", default=compare_harness.ALL)
    parser.add_argument("--limit", type=int, default=0, help="questions per task; 0: all")
    parser.add_argument("--edge", action="store_true", help="the oracle's odd rows instead of the official files")
    parser.add_argument("--shared", default=os.path.join(HERE, "..", "..", "..", "shared"))
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    args.which = "edge" if args.edge else str(args.limit or "all")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if compare_harness.oracles_absent(args):
        return 77
    runner = Runner(args)
    wanted = set(args.tasks.split(","))
    for shots in map(int, args.shots.split(",")):
        for name in args.models.split(","):
            runner.model(name)
            for group in [compare_harness.ALL] if args.edge or args.limit else GROUPS:
                tasks = [task for task in group.split(",") if task in wanted]
                if tasks:
                    runner.compare(name, shots, ",".join(tasks))
            print(f"{name}, {shots} examples: {runner.report.errors} differences so far", flush=True)
    print(table(list(runner.results.values())))
    return 1 if runner.report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
