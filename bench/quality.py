#!/usr/bin/env python3
"""What weight and cache types cost in accuracy, on questions of the embedded models' world: two tables for docs/quality.md.

  python bench/quality.py --build build/release [MODEL] [--types q8_0,q4_0] [--caches q8_0/q8_0,q4_0/q4_0]

Everything is compared with weights as stored and a cache in f32. Perplexity is of the right answers to questions drawn from tools/embedded/world.py with a
seed of their own, each behind four others with their answers, as in training; divergence and greedy tokens are over the last 32 positions of every such
text (bench/quality_probe.cpp). Accuracy is `tinyllm eval`'s on the embedded question files. Needs a build with -DTINYLLM_BENCH=ON. "+ q8_0" behind a type (as --types has it: t3_64+q8_0) keeps the embedding, which is the head where they are tied, in q8_0; "@im" (q4_0@im) rounds by an importance
matrix of other texts of the same world."""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/embedded"))
import world  # noqa: E402

QUESTIONS, BEFORE = 100, 4
CALIBRATION = 400  # documents behind an importance matrix, of another seed than the questions
TASKS = "arc_easy,boolq,openbookqa,piqa,social_iqa,winogrande,hellaswag"
FITTING = "f32,f16,q8_0,q6_k,q5_1,q5_k,q5_0,q4_1,q4_k,iq4_nl,q4_0,t4_64,q3_k,t3_64,q2_k,t3_64+q8_0,q2_k+q8_0"


def write_texts(path):
    rng, split, kinds = random.Random(20261121), world.Split(), list(world.MIXTURE)
    with open(path, "w") as out:
        for _ in range(QUESTIONS):
            drawn = [world.document(rng, split, *rng.choice(kinds))[:2] for _ in range(BEFORE + 1)]
            out.write("".join(f"{question}{reply}</s>" for question, reply in drawn[:-1]) + drawn[-1][0] + "\0" + drawn[-1][1] + "\0")


def write_calibration(path):
    rng, split, kinds = random.Random(20261122), world.Split(), list(world.MIXTURE)
    documents = [world.document(rng, split, *rng.choice(kinds))[:2] for _ in range(CALIBRATION)]
    path.write_text("".join(f"{question}{reply}</s>" for question, reply in documents))


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout


def accuracies(tinyllm, model):
    """{task: share of right answers}, the harness's rules"""
    results = json.loads(run(tinyllm, "eval", model, "-t", TASKS, "--data", ROOT / "tools/embedded/questions", "--json", "-q"))["results"]
    return {task: row["acc,none"] for task, row in results.items()}


def quantize(tinyllm, model, out, words, matrix):
    """Bits per weight of the whole file; None where a row fits no block of the type."""
    kind, _, head = words.removesuffix("@im").partition("+")
    flags = ["--tensor-type", f"token_embd={head}"] if head else []
    if words.endswith("@im"):
        flags += ["--imatrix", matrix]
    report = json.loads(run(tinyllm, "quantize", model, out, "--type", kind, *flags, "--json"))
    if any(row["note"] for row in report["tensors"]):
        return None
    return 8 * report["bytes"] / report["parameters"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=ROOT / "tools/embedded/models/tiny-llama")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--types", default=FITTING)
    parser.add_argument("--caches", default="f16/f16,q8_0/q8_0,q8_0/q4_0,q4_0/q8_0,q4_0/q4_0")
    args = parser.parse_args()
    tinyllm = args.build / "tools/tinyllm"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_texts(folder / "texts")
        matrix = folder / "imatrix.gguf"
        if "@im" in args.types:
            write_calibration(folder / "calibration")
            run(tinyllm, "imatrix", args.model, "-f", folder / "calibration", "-o", matrix)
        rows = []  # words, bits, file
        for words in args.types.split(","):
            file = folder / f"{words}.gguf"
            bits = quantize(tinyllm, args.model, file, words, matrix)
            if bits:
                rows.append((words, bits, file))
            else:
                print(f"{words}: its blocks do not fit", file=sys.stderr)
        caches = [cache for cache in args.caches.split(",") if cache]
        probed = run(args.build / "bench/quality_probe", folder / "texts", args.model, *(f"{file},f32,f32" for _, _, file in rows),
                     *(f"{args.model},{cache.replace('/', ',')}" for cache in caches))
        base, *lines = [json.loads(line) for line in probed.splitlines()]
        right = accuracies(tinyllm, args.model)
        mean = sum(right.values()) / len(right)
        f32_bytes = next((bits for words, bits, _ in rows if words == "f32"), 32)
        print(f"{base['positions']} positions, {base['answer_tokens']} tokens of answers.\n")
        print("| weights | bits a weight | size | perplexity | divergence | greedy tokens | accuracy | of f32's | worst task | " + " | ".join(right) + " |")
        print("|---|" + "---:|" * (8 + len(right)))
        for (words, bits, file), line in zip(rows, lines):
            have = accuracies(tinyllm, file)
            of = sum(have.values()) / len(have)
            worst = min(have[task] / right[task] for task in right)
            print(f"| {words.replace('+', ' + ').replace('@im', ', importance')} | {bits:.2f} | {bits / f32_bytes:.1%} | {line['perplexity']:.4f} | {max(0.0, line['divergence']):.5f} | {line['agreement']:.3f} | "
                  f"{of:.3f} | {of / mean:.1%} | {worst:.1%} | " + " | ".join(f"{value:.2f}" for value in have.values()) + " |", flush=True)
        print("\n| cache (keys/values) | perplexity | to f32's | divergence | greedy tokens |\n|---|---:|---:|---:|---:|")
        for cache, line in zip(["f32/f32"] + caches, [base] + lines[len(rows):]):
            print(f"| {cache} | {line['perplexity']:.4f} | {line['perplexity'] / base['perplexity']:.4f} | {max(0.0, line['divergence']):.5f} | {line['agreement']:.3f} |")


if __name__ == "__main__":
    main()
