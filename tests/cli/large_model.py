"""Writes Llamas of real size with random weights in a second, with the standard library alone: the same few megabytes of blocks over and over."""
import json
import os
import random
import struct

import tiny_model

VOCAB = 49152


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def shapes(dim, ff, layers):
    """(GGUF name, Hugging Face name, shape); grouped heads of 64, tied head."""
    kv = dim // 4
    out = [("token_embd.weight", "model.embed_tokens.weight", (VOCAB, dim)), ("output_norm.weight", "model.norm.weight", (dim,))]
    for i in range(layers):
        for gguf, hf, shape in (("attn_norm", "input_layernorm", (dim,)), ("attn_q", "self_attn.q_proj", (dim, dim)), ("attn_k", "self_attn.k_proj", (kv, dim)),
                                ("attn_v", "self_attn.v_proj", (kv, dim)), ("attn_output", "self_attn.o_proj", (dim, dim)),
                                ("ffn_norm", "post_attention_layernorm", (dim,)), ("ffn_gate", "mlp.gate_proj", (ff, dim)), ("ffn_up", "mlp.up_proj", (ff, dim)),
                                ("ffn_down", "mlp.down_proj", (dim, ff))):
            out.append((f"blk.{i}.{gguf}.weight", f"model.layers.{i}.{hf}.weight", shape))
    return out


def elements(shape):
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def repeat(file, block, n):
    while n > 0:
        file.write(block[:n])
        n -= len(block)


def pieces():
    """A vocabulary of the right size: the bytes, and words that no merge makes."""
    return tiny_model.byte_pieces() + [f"word{i}" for i in range(256, VOCAB - 1)] + ["<|endoftext|>"]


def write_gguf(path, dim=1024, ff=4096, layers=24, context=2048):
    """Q8_0; 460 MB by default."""
    source = random.Random(1)
    blocks = b"".join(struct.pack("<e", 0.0005) + source.randbytes(32) for _ in range(1 << 16))
    metadata = [("general.architecture", 8, string("llama")), ("tokenizer.ggml.model", 8, string("gpt2")), ("tokenizer.ggml.pre", 8, string("gpt-2"))]
    for key, value in (("context_length", context), ("embedding_length", dim), ("feed_forward_length", ff), ("block_count", layers),
                       ("attention.head_count", dim // 64), ("attention.head_count_kv", dim // 256), ("rope.dimension_count", 64), ("vocab_size", VOCAB)):
        metadata.append((f"llama.{key}", 4, struct.pack("<I", value)))
    metadata.append(("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)))
    metadata.append(("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, VOCAB) + b"".join(string(p) for p in pieces())))
    metadata.append(("tokenizer.ggml.merges", 9, struct.pack("<IQ", 8, 0)))
    for key in ("bos", "eos"):
        metadata.append((f"tokenizer.ggml.{key}_token_id", 4, struct.pack("<I", VOCAB - 1)))
    infos, at = b"", 0
    tensors = shapes(dim, ff, layers)
    for name, _, shape in tensors:
        infos += string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        infos += struct.pack("<IQ", 8 if len(shape) == 2 else 0, at)
        n = elements(shape)
        at += -(-(n // 32 * 34 if len(shape) == 2 else 4 * n) // 32) * 32
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(string(k) + struct.pack("<I", t) + v for k, t, v in metadata) + infos
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        for _, _, shape in tensors:
            n = elements(shape)
            size = n // 32 * 34 if len(shape) == 2 else 4 * n
            repeat(file, blocks if len(shape) == 2 else struct.pack("<f", 1.0) * 4096, size)
            file.write(b"\0" * (-size % 32))
    return path


def write_folder(path, dim=1024, ff=4096, layers=4):
    """F16 safetensors with a header of an odd length, so that no tensor is aligned; 230 MB by default."""
    os.makedirs(path)
    values = b"".join(bytes((low, high)) for low in range(256) for high in (0x20, 0x24, 0xA0, 0xA4)) * 1024
    header, at = {}, 0
    tensors = shapes(dim, ff, layers)
    for _, name, shape in tensors:
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + 2 * elements(shape)]}
        at += 2 * elements(shape)
    text = json.dumps(header).encode()
    text += b" " * (1 - len(text) % 2)
    with open(os.path.join(path, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, shape in tensors:
            repeat(file, values, 2 * elements(shape))
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": dim, "intermediate_size": ff, "num_hidden_layers": layers,
              "num_attention_heads": dim // 64, "num_key_value_heads": dim // 256, "vocab_size": VOCAB, "max_position_embeddings": 2048, "hidden_act": "silu",
              "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "torch_dtype": "float16"}
    tokenizer = tiny_model.tokenizer()
    tokenizer["added_tokens"][0]["id"] = VOCAB - 1
    tokenizer["model"]["vocab"] = {piece: i for i, piece in enumerate(pieces())}
    plain = {"tokenizer_class": "PreTrainedTokenizerFast"}
    for name, document in (("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", plain)):
        with open(os.path.join(path, name), "w") as file:
            json.dump(document, file)
    return path
