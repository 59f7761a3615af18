#!/usr/bin/env python3
"""Writes the first seeds of corpus/: small valid files, and a few on the edge. Findings of the fuzzers stand beside them."""
import json
import pathlib
import struct

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "files" / "golden"
CORPUS = HERE / "corpus"


def put(target: str, name: str, data: bytes) -> None:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(data)


def written(writer: gguf.GGUFWriter) -> bytes:
    path = CORPUS / "gguf.tmp"
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = path.read_bytes()
    path.unlink()
    return data


def llama_gguf() -> bytes:
    w = gguf.GGUFWriter(None, "llama")
    w.add_vocab_size(5)
    w.add_context_length(8)
    w.add_embedding_length(4)
    w.add_block_count(1)
    w.add_feed_forward_length(6)
    w.add_head_count(2)
    w.add_head_count_kv(1)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_tokenizer_model("llama")
    w.add_token_list(["<unk>", "<s>", "</s>", "a", "b"])
    w.add_token_scores([0.0] * 5)
    w.add_token_types([2, 3, 3, 1, 1])
    shapes = {
        "token_embd.weight": (5, 4), "output_norm.weight": (4,), "blk.0.attn_norm.weight": (4,),
        "blk.0.attn_q.weight": (4, 4), "blk.0.attn_k.weight": (2, 4), "blk.0.attn_v.weight": (2, 4),
        "blk.0.attn_output.weight": (4, 4), "blk.0.ffn_norm.weight": (4,), "blk.0.ffn_gate.weight": (6, 4),
        "blk.0.ffn_up.weight": (6, 4), "blk.0.ffn_down.weight": (4, 6),
    }
    for name, shape in shapes.items():
        w.add_tensor(name, np.ones(shape, np.float32))
    return written(w)


def imatrix_gguf(**tensors: list[float]) -> bytes:
    w = gguf.GGUFWriter(None, "")
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["text"])
    w.add_uint32("imatrix.chunk_count", 2)
    w.add_uint32("imatrix.chunk_size", 512)
    for name, values in tensors.items():
        w.add_tensor("blk.0." + name, np.array([values], np.float32))
    return written(w)


def imatrix_dat(end: bytes) -> bytes:
    data = struct.pack("<i", 2)
    for name, values in ((b"blk.0.attn_q.weight", (0.5, 0.0, 2.0)), (b"blk.0.ffn_down.weight", (1.0, 3.0))):
        data += struct.pack("<i", len(name)) + name + struct.pack(f"<ii{len(values)}f", 2, len(values), *values)
    return data + end


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    put("gguf", "toy", (GOLDEN / "toy.gguf").read_bytes())
    put("gguf", "llama", llama_gguf())
    put("gguf", "empty_model", b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    put("safetensors", "toy", (GOLDEN / "single" / "model.safetensors").read_bytes())
    put("safetensors", "nothing", struct.pack("<Q", 2) + b"{}")
    for name in ("zip", "legacy", "evil_zip", "evil_legacy"):
        put("torch", name, (GOLDEN / "torch" / f"{name}.bin").read_bytes())
    put("imatrix", "gguf", imatrix_gguf(**{"attn_q.weight.in_sum2": [0.5, 0.0, 2.0], "attn_q.weight.counts": [6]}))
    put("imatrix", "gguf_no_rows", imatrix_gguf(**{"attn_q.weight.in_sum2": [0.0, 0.0], "attn_q.weight.counts": [0]}))
    put("imatrix", "gguf_no_counts", imatrix_gguf(**{"attn_q.weight.in_sum2": [0.5, 0.0, 2.0]}))
    put("imatrix", "gguf_experts", imatrix_gguf(**{"ffn_up_exps.weight.in_sum2": [0.5, 2.0], "ffn_up_exps.weight.counts": [6, 7]}))
    put("imatrix", "dat", imatrix_dat(struct.pack("<ii", 2, 4) + b"text"))
    put("imatrix", "dat_oldest", imatrix_dat(b""))
    llama = {
        "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 4, "intermediate_size": 16, "vocab_size": 32, "hidden_act": "silu",
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "attention_bias": False,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 32},
    }
    put("config_json", "llama", json.dumps(llama).encode())
    gpt2 = {
        "model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16, "vocab_size": 32,
        "n_inner": None, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    }
    put("config_json", "gpt2", json.dumps(gpt2).encode())
    put("config_json", "deep", b"[" * 100)
    unigram = {
        "version": "1.0", "added_tokens": [{"id": 2, "content": "<unk>", "special": True}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": False, "strip_right": True},
                                                           {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                           "pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": True,
                  "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.15], ["▁Hello", -4.5], ["lo", -3.25], ["Hel", -5.125],
                            ["H", -7.5], ["e", -6.5], ["l", -6.25], ["<0x77>", 0.0], ["rld", -1e1], ["r", -1.5e-3]]},
    }
    for name in ("t5_spiece", "t5_spiece_bare"):
        put("spiece", name, (HERE.parent / "tokenizers" / "golden" / name / "spiece.model").read_bytes())
    put("tokenizer_json", "unigram", json.dumps(unigram).encode())


main()
