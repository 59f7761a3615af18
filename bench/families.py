#!/usr/bin/env python3
"""Whether a family's path is slower than Llama's at equal shape: writes one model of 1024 inputs, 24 layers and 16 heads for each family,
times them in turn, and prints time per multiply-add as a ratio to Llama's: python bench/families.py --tinyllm build/tools/tinyllm WORK

Needs torch. Rounds alternate between the families; the ratio is the median of the rounds', the brackets hold the least and the most."""
import argparse
import json
import math
import pathlib
import shutil
import statistics
import subprocess

import checkpoints
import make_checkpoints

VOCAB = 32000
PLAIN, GATED = 4096, 2816  # as many weights in two matrices as in three, within 3 %


def shapes():
    common = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "vocab_size": VOCAB}
    gated = {**common, "intermediate_size": GATED, "num_key_value_heads": 16, "max_position_embeddings": 2048,
             "tie_word_embeddings": True, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
    return {
        "llama": ({**checkpoints.SMOLLM, **gated}, "smollm"),
        "qwen2": ({**checkpoints.QWEN, **gated}, "qwen2"),
        "phonelm": ({**checkpoints.CHECKPOINTS["mllmTeam/PhoneLM-0.5B"].config, **gated}, "smollm"),
        "gpt2": ({**checkpoints.CEREBRAS, "n_embd": 1024, "n_head": 16, "n_inner": PLAIN, "n_layer": 24, "vocab_size": VOCAB}, "gpt2"),
        "bloom": ({**checkpoints.BLOOM, "hidden_size": 1024, "n_head": 16, "vocab_size": VOCAB}, "bloom"),
        "opt": ({**checkpoints.OPT, **common, "do_layer_norm_before": True, "ffn_dim": PLAIN, "word_embed_proj_dim": 1024}, "opt"),
        "gpt_neox": ({**checkpoints.PYTHIA, **common, "intermediate_size": PLAIN}, "neox"),
    }


def multiply_adds(config, tokens):
    """Of all matrices for each of `tokens` (the head for the last alone), and of causal attention."""
    made = checkpoints.Checkpoint(config, "safetensors", "float32", "")
    table = VOCAB * 1024
    layers = sum(math.prod(shape) for name, shape in checkpoints.tensors(made) if len(shape) == 2 and min(shape) >= 1024 and math.prod(shape) != table
                 and "position" not in name and "wpe" not in name)
    return tokens * layers + table + 24 * 1024 * tokens * (tokens + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--tinyllm", type=pathlib.Path, required=True)
    parser.add_argument("--type", default="q8_0")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    tinyllm, files, times = args.tinyllm.resolve(), {}, {}
    for family, (config, tokenizer) in shapes().items():
        folder, files[family] = args.work / family, args.work / f"{family}-{args.type}.gguf"
        make_checkpoints.write(folder, checkpoints.Checkpoint(config, "safetensors", "float16", tokenizer))
        subprocess.run([tinyllm, "quantize", folder, files[family], "--type", args.type], check=True, capture_output=True)
        shutil.rmtree(folder)
    for _ in range(args.rounds):
        for family, file in files.items():
            words = [tinyllm, "bench", file, "-p", "128", "-n", "32", "-r", "1", "--json", "-q"]
            rows = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            for row in rows["rows"] if isinstance(rows, dict) else rows:
                times.setdefault((family, row["n_prompt"], row["n_gen"]), []).append(row["avg_ns"] / 1e6)
    print("| family | 128 tokens, ms | per multiply-add, Llama = 1 | decode, ms a token | per weight, Llama = 1 |")
    print("|---|---:|---|---:|---|")
    for family, (config, _) in shapes().items():
        cells = []
        for key, work in (((128, 0), lambda c: multiply_adds(c, 128)), ((0, 32), lambda c: multiply_adds(c, 1))):
            own, base = times[family, *key], times["llama", *key]
            extra = work(config) / work(shapes()["llama"][0])
            ratios = [a / b / extra for a, b in zip(own, base)]
            cells.append(f"{statistics.median(own) / max(1, key[1]):.1f} | {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")
        print(f"| {family} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
