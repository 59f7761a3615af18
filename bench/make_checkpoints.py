#!/usr/bin/env python3
"""Writes checkpoints of the study at their real shapes, in their publishers' file form and type, with random weights and a
made-up tokenizer of the right kind: python bench/make_checkpoints.py OUT [hub id ...]

Needs torch. Weights repeat one pool of normal numbers, so that writing is fast; no two rows of a matrix are equal."""
import argparse
import json
import math
import pathlib
import struct

import torch

import checkpoints

POOL = 1_000_003  # prime: rows start at other places of the pool
NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


class Weights:
    def __init__(self, dtype, seed=1):
        self.dtype = getattr(torch, dtype)
        self.pool = torch.empty(POOL).normal_(generator=torch.Generator().manual_seed(seed))
        self.start = 0

    def make(self, name, shape):
        """Norms about one, biases small, matrices of standard deviation 1 / sqrt(inputs)."""
        count = math.prod(shape)
        if len(shape) == 1:
            scale, shift = 0.02, 1.0 if name.endswith("weight") else 0.0
        else:
            scale, shift = shape[-1] ** -0.5, 0.0
        values = (self.pool * scale + shift).to(self.dtype)
        self.start = (self.start + 7919) % POOL
        values = values.roll(self.start)
        made = torch.empty(count, dtype=self.dtype)
        for at in range(0, count, POOL):
            part = made[at:at + POOL]
            part.copy_(values[:part.numel()])
        return made.reshape(shape)


def write_safetensors(path, entries, weights, dtype):
    """The format: length of the header (u64), JSON header, tensors one behind the other."""
    width, header, at = torch.empty(0, dtype=weights.dtype).element_size(), {"__metadata__": {"format": "pt"}}, 0
    for name, shape in entries:
        size = math.prod(shape) * width
        header[name] = {"dtype": NAMES[dtype], "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in entries:
            file.write(weights.make(name, shape).view(torch.uint8).numpy().data)


def write_bin(path, entries, weights, config):
    """torch.save's ZIP; a tied head stands there a second time, on the embedding's storage."""
    state = {name: weights.make(name, shape) for name, shape in entries}
    if config["model_type"] == "gpt2":
        state["lm_head.weight"] = state["transformer.wte.weight"]
    if config["model_type"] == "opt":
        state["lm_head.weight"] = state["model.decoder.embed_tokens.weight"]
    torch.save(state, path)


def byte_letters():
    """GPT-2's printable stand-ins of the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in kept else chr(256 + extra))
        extra += byte not in kept
    return letters


def made_up_words(starts, count):
    """(word, head, letter), shortest first: every word is an earlier one and a letter more."""
    level, made = list(starts), []
    while len(made) < count:
        longer = []
        for head in level:
            for letter in LETTERS:
                made.append((head + letter, head, letter))
                longer.append(head + letter)
        level = longer
    return made[:count]


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
PLAIN_BYTES = {**BYTE_LEVEL, "use_regex": False}


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


BLOOM_WORDS = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
QWEN_WORDS = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+"
              "|\\s+(?!\\S)|\\s+")
PIPELINES = {  # normalizer, pre-tokenizer
    "gpt2": (None, BYTE_LEVEL),
    "opt": (None, BYTE_LEVEL),
    "neox": ({"type": "NFC"}, BYTE_LEVEL),
    "bloom": (None, {"type": "Sequence", "pretokenizers": [split(BLOOM_WORDS), PLAIN_BYTES]}),
    "qwen2": ({"type": "NFC"}, {"type": "Sequence", "pretokenizers": [split(QWEN_WORDS), PLAIN_BYTES]}),
    "smollm": (None, {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}),
}


def special(index, content):
    return {"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def bpe(tokens, merges, **settings):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges, **settings}


def byte_level_tokenizer(kind, vocab):
    letters = byte_letters()
    words = made_up_words([letters[32], *LETTERS], vocab - 257)
    tokens = ["<|endoftext|>", *letters, *(word for word, _, _ in words)]
    normalizer, pre_tokenizer = PIPELINES[kind]
    return {"added_tokens": [special(0, "<|endoftext|>")], "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
            "post_processor": None, "decoder": BYTE_LEVEL, "model": bpe(tokens, [f"{head} {letter}" for _, head, letter in words])}


def sentencepiece_tokenizer(vocab):
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *LETTERS]
    words = made_up_words(["\u2581", *LETTERS], vocab - len(tokens))
    tokens += [word for word, _, _ in words]
    return {"added_tokens": [special(i, tokens[i]) for i in range(3)],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                                                               {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
            "pre_tokenizer": None, "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                                         {"type": "ByteFallback"}, {"type": "Fuse"},
                                                         {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": bpe(tokens, [f"{head} {letter}" for _, head, letter in words], unk_token="<unk>", fuse_unk=True,
                         byte_fallback=True)}


def unigram_tokenizer(vocab):
    words = made_up_words(["\u2581", *LETTERS], vocab - 3 - 27)
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *LETTERS, *(word for word, _, _ in words)]
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    return {"added_tokens": [special(i, pieces[i]) for i in range(3)], "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}]},
            "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, end], "pair": [],
                               "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
            "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
            "model": {"type": "Unigram", "unk_id": 2, "vocab": [[piece, -0.001 * i] for i, piece in enumerate(pieces)],
                      "byte_fallback": False}}


def tokenizer(kind, vocab):
    made = {"llama": sentencepiece_tokenizer, "t5": unigram_tokenizer}.get(kind)
    body = made(vocab) if made else byte_level_tokenizer(kind, vocab)
    return {"version": "1.0", "truncation": None, "padding": None, **body}


def tokenizer_config(kind):
    if kind == "llama":
        return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if kind == "t5":
        return {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "extra_ids": 0,
                "additional_special_tokens": []}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def write(folder, checkpoint):
    folder.mkdir(parents=True, exist_ok=True)
    config, entries = checkpoint.config, checkpoints.tensors(checkpoint)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(checkpoint.tokenizer, config["vocab_size"]), ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(checkpoint.tokenizer)))
    weights = Weights(checkpoint.dtype)
    if checkpoint.form == "safetensors":
        write_safetensors(folder / "model.safetensors", entries, weights, checkpoint.dtype)
    else:
        write_bin(folder / "pytorch_model.bin", entries, weights, config)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="hub id", help="default: all, 35 GB")
    args = parser.parse_args()
    for name in args.names or checkpoints.CHECKPOINTS:
        if name not in checkpoints.CHECKPOINTS:
            parser.error(f"no checkpoint {name}; there are {', '.join(checkpoints.CHECKPOINTS)}")
        folder = args.out / name.replace("/", "--")
        write(folder, checkpoints.CHECKPOINTS[name])
        print(f"{folder}: {sum(f.stat().st_size for f in folder.iterdir()) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
