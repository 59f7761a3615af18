"""Makes a random GPT-2-type model of one layer, with the standard library alone: as a Hugging Face folder or as a GGUF file.

Its vocabulary is the 256 bytes in byte-level BPE's spelling, no merges, and <|endoftext|>, so that token i of an ASCII text is a byte.
"""
import json
import os
import random
import struct

DIM, HEADS, FF, CONTEXT, VOCAB = 32, 4, 64, 96, 257
END = 256


def byte_pieces():
    """Byte-level BPE's spelling of each byte: printable ones stand for themselves, the others for code points from 256 on."""
    own = set(range(ord("!"), ord("~") + 1)) | set(range(0xA1, 0xAD)) | set(range(0xAE, 0x100))
    pieces, other = [], 256
    for byte in range(256):
        if byte in own:
            pieces.append(chr(byte))
        else:
            pieces.append(chr(other))
            other += 1
    return pieces


def tensors(seed=1):
    """{Hugging Face name: (shape, values)}; weights of Conv1D are (in, out)."""
    source = random.Random(seed)
    shapes = {"wte.weight": (VOCAB, DIM), "wpe.weight": (CONTEXT, DIM), "ln_f.weight": (DIM,), "ln_f.bias": (DIM,)}
    for name, shape in {"ln_1.weight": (DIM,), "ln_1.bias": (DIM,), "attn.c_attn.weight": (DIM, 3 * DIM), "attn.c_attn.bias": (3 * DIM,),
                        "attn.c_proj.weight": (DIM, DIM), "attn.c_proj.bias": (DIM,), "ln_2.weight": (DIM,), "ln_2.bias": (DIM,),
                        "mlp.c_fc.weight": (DIM, FF), "mlp.c_fc.bias": (FF,), "mlp.c_proj.weight": (FF, DIM), "mlp.c_proj.bias": (DIM,)}.items():
        shapes["h.0." + name] = shape
    out = {}
    for name, shape in shapes.items():
        n = shape[0] * (shape[1] if len(shape) == 2 else 1)
        middle = 1.0 if name.startswith("ln") and name.endswith("weight") or ".ln_" in name and name.endswith("weight") else 0.0
        out[name] = (shape, [middle + source.gauss(0, 0.4) for _ in range(n)])
    return out


def config(**changes):
    values = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": DIM, "n_head": HEADS, "n_inner": FF, "n_layer": 1, "n_positions": CONTEXT,
              "n_ctx": CONTEXT, "vocab_size": VOCAB, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": END, "eos_token_id": END,
              "torch_dtype": "float32"}
    values.update(changes)
    return values


def tokenizer():
    pieces = byte_pieces()
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": END, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}],
            "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                      "byte_fallback": False, "ignore_merges": False, "vocab": {**{p: i for i, p in enumerate(pieces)}, "<|endoftext|>": END}, "merges": []}}


def safetensors(values):
    header, data = {}, b""
    for name, (shape, numbers) in values.items():
        part = struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def write_folder(path, weights=None, **changes):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump(config(**changes), file)
    with open(os.path.join(path, "tokenizer.json"), "w") as file:
        json.dump(tokenizer(), file)
    with open(os.path.join(path, "model.safetensors"), "wb") as file:
        file.write(safetensors(weights or tensors()))
    return path


def write_gguf(path, weights=None, architecture="gpt2", stored=None):
    """The same model; GGUF's rows are outputs, so Conv1D weights are transposed. `stored`: {name: (ggml's number of a type, the tensor's bytes)}."""
    renames = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "h.0.ln_1": "blk.0.attn_norm", "h.0.attn.c_attn": "blk.0.attn_qkv",
               "h.0.attn.c_proj": "blk.0.attn_output", "h.0.ln_2": "blk.0.ffn_norm", "h.0.mlp.c_fc": "blk.0.ffn_up", "h.0.mlp.c_proj": "blk.0.ffn_down"}

    def string(text):
        data = text.encode()
        return struct.pack("<Q", len(data)) + data

    def value(item):
        if isinstance(item, bool):
            return 7, struct.pack("<?", item)
        if isinstance(item, int):
            return 4, struct.pack("<I", item)
        if isinstance(item, float):
            return 6, struct.pack("<f", item)
        if isinstance(item, str):
            return 8, string(item)
        kind = value(item[0])[0] if item else 8
        kind = 5 if kind == 4 else kind
        return 9, struct.pack("<IQ", kind, len(item)) + b"".join(struct.pack("<i", i) if kind == 5 else value(i)[1] for i in item)

    pieces = byte_pieces() + ["<|endoftext|>"]
    metadata = {"general.architecture": architecture, "general.alignment": 32, "general.file_type": 0, f"{architecture}.context_length": CONTEXT,
                f"{architecture}.embedding_length": DIM, f"{architecture}.feed_forward_length": FF, f"{architecture}.block_count": 1,
                f"{architecture}.attention.head_count": HEADS, f"{architecture}.attention.layer_norm_epsilon": 1e-5, "tokenizer.ggml.model": "gpt2",
                "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.token_type": [1] * 256 + [3], "tokenizer.ggml.merges": [],
                "tokenizer.ggml.bos_token_id": END, "tokenizer.ggml.eos_token_id": END}
    keys = b"".join(string(k) + struct.pack("<I", value(v)[0]) + value(v)[1] for k, v in metadata.items())
    infos, data = b"", b""
    items = (weights or tensors()).items()
    for name, (shape, numbers) in items:
        stem, kind = name.rsplit(".", 1)
        if ".c_" in name and len(shape) == 2:
            rows, cols = shape
            numbers = [numbers[r * cols + c] for c in range(cols) for r in range(rows)]
            shape = (cols, rows)
        data += b"\0" * (-len(data) % 32)
        infos += string(f"{renames[stem]}.{kind}") + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        kind, part = (stored or {}).get(name) or (0, struct.pack(f"<{len(numbers)}f", *numbers))
        infos += struct.pack("<IQ", kind, len(data))
        data += part
    head = b"GGUF" + struct.pack("<IQQ", 3, len(items), len(metadata)) + keys + infos
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32) + data)
    return path
