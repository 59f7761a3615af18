#!/usr/bin/env python3
"""Writes GGUF files of random weights at the shapes of real models, for benchmarks: python bench/make_shapes.py OUT [shape ...] [--type q8_0]

Needs numpy and gguf. The files load here and in llama.cpp; the vocabulary has the real size and a tokenizer that encodes any text, but
its merges are made up. Weights are drawn in the stored form, blocks with one plausible scale, so that writing is fast."""
import argparse
import pathlib

import gguf
import numpy as np

LLAMA = dict(arch="llama", rope_theta=10000.0, context=2048, tied=True)
SHAPES = {
    "smollm-135m": dict(LLAMA, dim=576, layers=30, heads=9, kv_heads=3, ff=1536, vocab=49152, pre="smollm"),
    "smollm-360m": dict(LLAMA, dim=960, layers=32, heads=15, kv_heads=5, ff=2560, vocab=49152, pre="smollm"),
    "qwen-0.5b": dict(LLAMA, dim=896, layers=24, heads=14, kv_heads=2, ff=4864, vocab=151936, pre="gpt-2",
                      rope_theta=1e6, context=32768),
    "tinyllama-1.1b": dict(LLAMA, dim=2048, layers=22, heads=32, kv_heads=4, ff=5632, vocab=32000, pre=None, tied=False),
    "gpt2-124m": dict(arch="gpt2", dim=768, layers=12, heads=12, kv_heads=12, ff=3072, vocab=50257, pre="gpt-2",
                      context=1024, tied=True),
}
TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q4_0"}


def byte_letters():
    """GPT-2's printable stand-ins of the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in kept else chr(256 + extra))
        extra += byte not in kept
    return letters


def words(letters, starts, count):
    """`count` made-up words, shortest first: every word is an earlier one and a letter more, as (word, head, letter)."""
    level, made = list(starts), []
    while True:
        longer = []
        for head in level:
            for letter in letters:
                if len(made) == count:
                    return made
                made.append((head + letter, head, letter))
                longer.append(head + letter)
        level = longer


def add_bpe(writer, vocab, pre):
    tokens = byte_letters()
    space = tokens[32]
    made = words("etaoinshrdlucmfwypvbgkjqxz", [space, *"etaoinshrdlucmfwypvbgkjqxz"], vocab - len(tokens) - 1)
    tokens += [word for word, _, _ in made] + ["<|endoftext|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (vocab - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges([f"{head} {letter}" for _, head, letter in made])
    writer.add_bos_token_id(vocab - 1)
    writer.add_eos_token_id(vocab - 1)


def add_sentencepiece(writer, vocab):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [gguf.TokenType.UNKNOWN] + 2 * [gguf.TokenType.CONTROL] + 256 * [gguf.TokenType.BYTE]
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    pieces = [word for word, _, _ in words(letters, ["\u2581", *letters], vocab - len(tokens) - 27)] + ["\u2581", *letters]
    tokens += pieces
    types += [gguf.TokenType.NORMAL] * len(pieces)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(i) for i in range(len(pieces))])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def random_rows(random, rows, cols, kind):
    """Stored bytes of a (rows, cols) matrix of standard deviation about 1 / sqrt(cols)."""
    sigma = cols ** -0.5
    if kind in ("f32", "f16"):
        return (random.standard_normal((rows, cols), dtype=np.float32) * sigma).astype(kind.replace("f", "float"))
    if kind == "bf16":
        bits = (random.standard_normal((rows, cols), dtype=np.float32) * sigma).view(np.uint32)
        return (bits >> 16).astype(np.uint16).view(np.uint8).reshape(rows, -1)
    width, spread = {"q8_0": (32, 73.3), "q4_0": (16, 4.6)}[kind]
    block = random.integers(0, 256, (rows, cols // 32, width + 2), dtype=np.uint8)
    if kind == "q8_0":
        block[..., 2:][block[..., 2:] == 128] = 129  # -128 is never written by the quantizer
    block[..., :2] = np.array([sigma / spread], dtype=np.float16).view(np.uint8)
    return block.reshape(rows, -1)


def write(path, shape, kind, seed=1):
    random = np.random.default_rng(seed)
    s = argparse.Namespace(**shape)
    writer = gguf.GGUFWriter(path, s.arch)
    head_dim = s.dim // s.heads
    kv = s.kv_heads * head_dim
    writer.add_name(path.stem)
    writer.add_context_length(s.context)
    writer.add_embedding_length(s.dim)
    writer.add_block_count(s.layers)
    writer.add_feed_forward_length(s.ff)
    writer.add_head_count(s.heads)
    writer.add_file_type({"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "bf16": 32}[kind])
    if s.arch == "llama":
        writer.add_vocab_size(s.vocab)
        writer.add_head_count_kv(s.kv_heads)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_dimension_count(head_dim)
        writer.add_rope_freq_base(s.rope_theta)
    else:
        writer.add_layer_norm_eps(1e-5)
    if s.pre:
        add_bpe(writer, s.vocab, s.pre)
    else:
        add_sentencepiece(writer, s.vocab)

    def matrix(name, rows, cols, stored=kind):
        raw = gguf.GGMLQuantizationType[TYPES[stored]]
        writer.add_tensor(name + ".weight", random_rows(random, rows, cols, stored), raw_dtype=raw)

    def norm(name):
        writer.add_tensor(name + ".weight", np.ones(s.dim, np.float32))
        if s.arch == "gpt2":
            writer.add_tensor(name + ".bias", np.zeros(s.dim, np.float32))

    def bias(name, n):
        writer.add_tensor(name + ".bias", (0.02 * random.standard_normal(n)).astype(np.float32))

    matrix("token_embd", s.vocab, s.dim)
    if s.arch == "gpt2":
        matrix("position_embd", s.context, s.dim, "f32")
    for i in range(s.layers):
        block = f"blk.{i}."
        norm(block + "attn_norm")
        norm(block + "ffn_norm")
        if s.arch == "gpt2":
            parts = [("attn_qkv", 3 * s.dim, s.dim), ("attn_output", s.dim, s.dim), ("ffn_up", s.ff, s.dim), ("ffn_down", s.dim, s.ff)]
        else:
            parts = [("attn_q", s.dim, s.dim), ("attn_k", kv, s.dim), ("attn_v", kv, s.dim), ("attn_output", s.dim, s.dim),
                     ("ffn_gate", s.ff, s.dim), ("ffn_up", s.ff, s.dim), ("ffn_down", s.dim, s.ff)]
        for name, rows, cols in parts:
            matrix(block + name, rows, cols)
            if s.arch == "gpt2":
                bias(block + name, rows)
    norm("output_norm")
    if not s.tied:
        matrix("output", s.vocab, s.dim)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("shapes", nargs="*", help=f"of {', '.join(SHAPES)}; default: all")
    parser.add_argument("--type", dest="types", action="append", choices=TYPES, help="default: q8_0 and f16")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.shapes or SHAPES:
        if name not in SHAPES:
            parser.error(f"no shape {name}; there are {', '.join(SHAPES)}")
        for kind in args.types or ["q8_0", "f16"]:
            write(args.out / f"{name}-{kind}.gguf", SHAPES[name], kind)


if __name__ == "__main__":
    main()
