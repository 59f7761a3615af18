#!/usr/bin/env python3
"""Estimates, from arithmetic alone, of what the study's twenty checkpoints would take on a Jetson Orin Nano: tables in Markdown.

    roofline.py [--published FILE] [--launch-us 5] [--bandwidth-share 0.8] [--fp32-share 0.5] [--tensor-share 0.3]

Nothing here was measured on a GPU. A product takes as long as its weights' bytes at a share of the board's bandwidth, or its operations at a
share of the board's peak, whichever is longer; a launch takes the same time always. The shares and the time of a launch are assumptions
(docs/jetson.md says where they come from). FILE is a study's results (models: hub_id, published: inference_ms, peak_gpu_memory_gb)."""
import argparse
import dataclasses
import json
import pathlib

import checkpoints

PROMPT = 100                         # tokens of a question; then the logits behind the last one
TYPES = ("f32", "f16", "q8_0", "q4_0", "q4_k_m")
BITS = {"f32": 32, "f16": 16, "q8_0": 8.5, "q4_0": 4.5, "q5_0": 5.5, "q4_k": 4.5, "q6_k": 6.5625}  # as the GPU holds them
FALLBACK = {"q4_k": "q5_0", "q6_k": "q8_0"}  # where rows are no multiple of 256
MIB = 2**20
HEADS = ("lm_head.weight", "embed_out.weight")
POSITIONS = ("wpe.weight", "embed_positions.weight", "relative_attention_bias.weight")
TABLES = ("wte.weight", "word_embeddings.weight", "embed_tokens.weight", "embed_in.weight", "shared.weight")
VALUES = ("v_proj.weight", "c_attn.weight", "query_key_value.weight", ".v.weight")
DOWN = ("mlp.c_proj.weight", "dense_4h_to_h.weight", "down_proj.weight", "fc2.weight", "wo.weight")


@dataclasses.dataclass
class Board:
    """A clock mode: bytes a second; operations a second, in fp32 and by tensor cores with halves."""
    name: str
    bandwidth: float
    fp32: float
    tensor: float


# 1024 cores of two operations a clock; tensor cores: a quarter of the 40 and 67 sparse 8-bit TOPS that NVIDIA gives.
BOARDS = (Board("68 GB/s, 625 MHz", 68e9, 1024 * 2 * 625e6, 10e12), Board("102 GB/s, 1020 MHz", 102e9, 1024 * 2 * 1020e6, 16.75e12))


@dataclasses.dataclass
class Assumed:
    bandwidth_share: float = 0.8
    fp32_share: float = 0.5
    tensor_share: float = 0.3
    launch_s: float = 5e-6


@dataclasses.dataclass
class Weight:
    kind: str       # head, values, down, other; positions: never multiplied with
    rows: int       # outputs
    cols: int       # inputs
    in_prompt: int  # rows of x in a question's pass
    in_decode: int  # in that of a generated token


def shape_of(config):
    """(layers, dim, heads, kv heads, head's elements, the MLP's inner width, vocabulary)"""
    get = lambda *names: next((config[name] for name in names if config.get(name)), None)  # noqa: E731
    dim = get("hidden_size", "n_embd", "n_embed", "d_model")
    heads = get("num_attention_heads", "n_head", "num_heads")
    layers = get("num_hidden_layers", "n_layer", "num_layers")
    return (layers, dim, heads, get("num_key_value_heads") or heads, get("d_kv") or dim // heads,
            get("intermediate_size", "n_inner", "ffn_dim", "d_ff") or 4 * dim, config["vocab_size"])


def weights_of(checkpoint):
    """The matrices, and the number of elements of all vectors."""
    entries = checkpoints.tensors(checkpoint)
    gpt2 = checkpoint.config["model_type"] == "gpt2"
    tied = not any(name.endswith(HEADS) for name, _ in entries)
    weights, vectors = [], 0
    for name, shape in entries:
        if len(shape) == 1:
            vectors += shape[0]
            continue
        rows, cols = shape[::-1] if gpt2 and ".h." in name else shape
        encoder = name.startswith("encoder.") or ".EncDecAttention.k." in name or ".EncDecAttention.v." in name
        once = checkpoint.config["model_type"] == "t5" and not encoder
        kind, prompt, decode = "other", 1 if once else PROMPT, 0 if encoder else 1
        if name.endswith(POSITIONS):
            kind, prompt, decode = "positions", 0, 0
        elif name.endswith(HEADS) or tied and name.endswith(TABLES):
            kind, prompt, decode = "head", 1, 1
        elif name.endswith(TABLES):
            kind, prompt, decode = "other", 0, 0  # a row a token
        elif name.endswith(VALUES):
            kind = "values"
        elif name.endswith(DOWN):
            kind = "down"
        weights.append(Weight(kind, rows, cols, prompt, decode))
    return weights, vectors


def types_of(weights, kind, layers, stored):
    """What each weight is held as. q4_k_m: engine/mixture.cpp's rules; a table of positions stays as it is stored."""
    if kind != "q4_k_m":
        return [stored if w.kind == "positions" else kind for w in weights]
    seen, total = {"values": 0, "down": 0}, {"values": sum(w.kind == "values" for w in weights), "down": layers}
    types = []
    for w in weights:
        held = "q6_k" if w.kind == "head" else "q4_k"
        if w.kind in seen:
            i, n = seen[w.kind], total[w.kind]
            seen[w.kind] += 1
            if i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2:
                held = "q6_k"
        if w.cols % 256:
            held = FALLBACK[held]
        types.append(stored if w.kind == "positions" else held)
    return types


def weight_bytes(weight, held):
    return weight.rows * weight.cols * BITS[held] / 8


def product_s(weight, held, rows, board, assumed, tensor):
    if rows == 0:
        return 0.0
    read = weight_bytes(weight, held) / (board.bandwidth * assumed.bandwidth_share)
    if tensor and held != "f32" and rows > 8:
        peak = board.tensor * assumed.tensor_share
    else:
        peak = board.fp32 * assumed.fp32_share
    return max(read, 2 * rows * weight.rows * weight.cols / peak)


@dataclasses.dataclass
class Estimate:
    question_ms: float         # with products in fp32
    question_tensor_ms: float  # with tensor cores where weights are not f32
    tokens_per_s: float
    memory: float              # bytes


def estimate(checkpoint, kind, board, assumed):
    config = checkpoint.config
    layers, dim, heads, kv_heads, head, ff, vocab = shape_of(config)
    both_sides = 2 if config["model_type"] == "t5" else 1
    weights, vectors = weights_of(checkpoint)
    types = types_of(weights, kind, layers, "f32" if checkpoint.dtype == "float32" else "f16")
    fp32 = board.fp32 * assumed.fp32_share
    # Every query meets all keys up to its own: two products of `head` elements. In T5's encoder it meets all.
    pairs = PROMPT * PROMPT if both_sides == 2 else PROMPT * (PROMPT + 1) / 2
    attention = 4 * layers * heads * head * pairs / fp32
    launches = {"prompt": (9 * layers + 4) * both_sides, "decode": (6 if both_sides == 1 else 10) * layers + 3}

    def question(tensor):
        products = sum(product_s(w, t, w.in_prompt, board, assumed, tensor) for w, t in zip(weights, types))
        return products + attention + launches["prompt"] * assumed.launch_s

    cache = 2 * 2 * layers * kv_heads * head * PROMPT * both_sides  # f16
    token = sum(product_s(w, t, w.in_decode, board, assumed, False) for w, t in zip(weights, types))
    token += cache / (board.bandwidth * assumed.bandwidth_share) + launches["decode"] * assumed.launch_s
    held = sum(weight_bytes(w, t) for w, t in zip(weights, types)) + 4 * vectors
    step = 4 * (PROMPT * (2 * dim + 4 * heads * head + 3 * ff) + vocab)
    program = 6e6 + 150 * vocab + 8 * MIB + 192 * MIB  # as `tinyllm info --device cuda` counts it
    return Estimate(question(False) * 1e3, question(True) * 1e3, 1 / token, held + cache + step + program)


def published(path):
    models = json.loads(path.read_text())["models"] if path else []
    return {m["hub_id"]: m["published"] for m in models if m["published"]}


def show(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(title, columns, rows):
    return "\n".join([f"### {title}", "", "| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1),
                      *("| " + " | ".join(row) + " |" for row in rows), ""])


def tables(results, assumed):
    """`results`: published figures by hub id."""
    pair = [board.name.split(",")[0] for board in BOARDS]
    found = {name: {kind: [estimate(c, kind, board, assumed) for board in BOARDS] for kind in TYPES}
             for name, c in checkpoints.CHECKPOINTS.items()}

    def cells(name, value, kinds=TYPES):
        return [" / ".join(show(value(e)) for e in found[name][kind]) for kind in kinds]

    def of_study(name, key):
        return show(results[name][key]["average"]) if name in results else "–"

    kinds = [f"{kind}, estimated" for kind in TYPES]
    question, tensor, tokens, memory = [], [], [], []
    for name in found:
        question.append([name, of_study(name, "inference_ms"), *cells(name, lambda e: e.question_ms)])
        tensor.append([name, *cells(name, lambda e: e.question_tensor_ms, TYPES[1:])])
        tokens.append([name, *cells(name, lambda e: e.tokens_per_s)])
        memory.append([name, of_study(name, "peak_gpu_memory_gb"), *(f"{found[name][kind][0].memory / 1e9:.2f}" for kind in TYPES)])
    both = " / ".join(pair)
    return "\n".join([
        table(f"A question, ms, products in fp32 ({both})", ["model", "study's, published", *kinds], question),
        table(f"A question, ms, by tensor cores ({both})", ["model", *kinds[1:]], tensor),
        table(f"Generated tokens a second behind {PROMPT} ({both})", ["model", *kinds], tokens),
        table("Memory, GB", ["model", "study's GPU peak, published", *kinds], memory)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=pathlib.Path)
    parser.add_argument("--launch-us", type=float, default=5)
    parser.add_argument("--bandwidth-share", type=float, default=0.8)
    parser.add_argument("--fp32-share", type=float, default=0.5)
    parser.add_argument("--tensor-share", type=float, default=0.3)
    args = parser.parse_args()
    assumed = Assumed(args.bandwidth_share, args.fp32_share, args.tensor_share, args.launch_us * 1e-6)
    print(tables(published(args.published), assumed), end="")


if __name__ == "__main__":
    main()
