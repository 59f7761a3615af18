#!/usr/bin/env python3
"""How long the questions of each task are, in tokens: the table of tools/predict/tasks.cpp.

    task_tokens.py --tinyllm build/release/tools/tinyllm --data DIR VOCABULARY.gguf [...] [--limit N]

`tinyllm eval` asks a toy model the first N questions and logs their texts; a real vocabulary (a GGUF with one will do) then counts them. Of
lm-eval: the contexts that differ and their tokens, the answers behind each, the tokens of an answer. Of study: the prompt's. Where a file of
HellaSwag is only a part, its rows are weighed so that WikiHow has the share it has in the official validation set."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp

TASKS = ("arc_challenge", "arc_easy", "boolq", "hellaswag", "openbookqa", "piqa", "social_iqa", "winogrande")


def samples(args, task, protocol, folder):
    toy = pathlib.Path(__file__).parent.parent / "tools/embedded/models/tiny-llama"
    found = subprocess.run([args.tinyllm, "eval", toy, "-t", task, "--data", args.data, "--protocol", protocol, "-L", str(args.limit), "-s", "-o", folder,
                            "--idle", "0"], capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"{task}: {found.stderr}")
    return [json.loads(line) for line in (folder / f"samples_{task}.jsonl").read_text().splitlines()]


def pairs_of(sample):
    arguments = sample["arguments"]
    return [(a["arg_0"], a["arg_1"]) if isinstance(a, dict) else tuple(a) for a in (arguments.values() if isinstance(arguments, dict) else arguments)]


def weights_of(found):
    """One for each sample. HellaSwag's official validation set: 3243 rows from ActivityNet, then 6799 from WikiHow."""
    kinds = ["wikihow" if "wikihow" in s["doc"].get("source_id", "") else "activitynet" if "source_id" in s["doc"] else "" for s in found]
    official = {"activitynet": 3243, "wikihow": 6799, "": 1}
    return [official[kind] / kinds.count(kind) for kind in kinds]


def mean(values, weights=None):
    values = list(values)
    weights = weights or [1] * len(values)
    return sum(v * w for v, w in zip(values, weights)) / sum(weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tinyllm", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("vocabularies", nargs="+")
    args = parser.parse_args()
    texts, weights = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for task in TASKS:
            for protocol in ("lm-eval", "study"):
                found = samples(args, task, protocol, pathlib.Path(folder))
                texts[task, protocol] = [pairs_of(s) for s in found]
                weights[task, protocol] = weights_of(found)
    for path in args.vocabularies:
        vocabulary = llama_cpp.Llama(path, vocab_only=True, verbose=False)
        count = lambda text: len(vocabulary.tokenize(text.encode(), add_bos=False, special=True))  # noqa: E731
        print(pathlib.Path(path).stem)
        for task in TASKS:
            rows = []
            for pairs in texts[task, "lm-eval"]:
                contexts = {context for context, _ in pairs}
                whole = [count(context + answer) - count(context) for context, answer in pairs]
                rows.append((len(contexts), mean(count(c) for c in contexts), len(pairs), mean(whole)))
            prompts = mean((count(pairs[0][0]) for pairs in texts[task, "study"]), weights[task, "study"])
            contexts, context, answers, answer = (mean(column, weights[task, "lm-eval"]) for column in zip(*rows))
            print(f'    {{"{task}", {contexts:.0f}, {context:.0f}, {answers / contexts:.1f}, {answer:.1f}, {prompts:.0f}}},')


if __name__ == "__main__":
    main()
