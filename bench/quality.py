#!/usr/bin/env python3
"""What weight and cache types cost in accuracy, on questions of the embedded models' world: perplexity of the answers, and how often a greedy
answer is the f32 model's: python bench/quality.py --tinyllm build/release/tools/tinyllm [MODEL] [--types q8_0,q4_0] [--caches q8_0/q8_0,q4_0/q4_0]

Every row is compared with weights as stored and a cache in f32. A question stands behind four others with their answers, as in training.
The questions are drawn from tools/embedded/world.py with a seed of their own. A greedy token counts as equal while all before it are."""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/embedded"))
import world  # noqa: E402

QUESTIONS, BEFORE, TOKENS = 250, 4, 20


def write_questions(folder):
    """(context, answer) files"""
    rng, split, kinds, files = random.Random(20261121), world.Split(), list(world.MIXTURE), []
    for i in range(QUESTIONS):
        drawn = [world.document(rng, split, *rng.choice(kinds))[:2] for _ in range(BEFORE + 1)]
        context, answer = folder / f"{i}.context", folder / f"{i}.answer"
        context.write_text("".join(f"{question}{reply}</s>" for question, reply in drawn[:-1]) + drawn[-1][0])
        answer.write_text(drawn[-1][1])
        files.append((context, answer))
    return files


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout


def measure(tinyllm, model, cache, files):
    """(perplexity of the answers, greedy tokens behind each context)"""
    k, v = cache.split("/")
    flags = ["-ctk", k, "-ctv", v, "--json"]
    total, count, greedy = 0.0, 0, []
    for context, answer in files:
        scored = json.loads(run(tinyllm, "score", model, "--context-file", context, "--continuation-file", answer, *flags))
        total, count = total + scored["logprob"], count + scored["n_tokens"]
        made = run(tinyllm, "generate", model, "--text-file", context, "--max-tokens", TOKENS, "--greedy", *flags)
        greedy.append(json.loads(made)["tokens"])
    return math.exp(-total / count), greedy


def agreement(a, b):
    equal = 0
    for one, other in zip(a, b):
        differing = [i for i, (x, y) in enumerate(zip(one, other)) if x != y]
        equal += differing[0] if differing else len(one)
    return equal / sum(map(len, a))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=ROOT / "tools/embedded/models/tiny-llama")
    parser.add_argument("--tinyllm", type=pathlib.Path, required=True)
    parser.add_argument("--types", default="q8_0,q5_1,q5_0,iq4_nl,q4_1,q4_0")
    parser.add_argument("--caches", default="f16/f16,q8_0/q8_0,q8_0/q4_0,q4_0/q8_0,q4_0/q4_0")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = write_questions(folder)
        base, tokens = measure(args.tinyllm, args.model, "f32/f32", files)
        print(f"| weights | cache (keys/values) | perplexity | to f32's | greedy tokens as f32's |\n|---|---|---:|---:|---:|\n| as stored | f32/f32 | {base:.4f} | 1 | 1 |")
        for kind in [None] + args.types.split(","):
            model = args.model
            if kind:
                model = folder / f"{kind}.gguf"
                run(args.tinyllm, "quantize", args.model, model, "--type", kind)
            for cache in args.caches.split(",") if not kind else ["f32/f32"]:
                perplexity, made = measure(args.tinyllm, model, cache, files)
                print(f"| {kind or 'as stored'} | {cache} | {perplexity:.4f} | {perplexity / base:.4f} | {agreement(tokens, made):.3f} |", flush=True)


if __name__ == "__main__":
    main()
