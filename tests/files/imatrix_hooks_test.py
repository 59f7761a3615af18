#!/usr/bin/env python3
"""`tinyllm imatrix` against transformers: the sums of squares of what goes into every linear layer, taken by hooks."""
import json
import pathlib
import re

import oracle

oracle.require("gguf", "torch", "transformers")

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM

TEXT = "the cat sat on the mat, then 12 dogs ran\n\n  away and the cat sat on the dog" * 3
CHUNK = 16
MODELS = ("llama_gqa", "gpt2", "gptneox", "bloom", "qwen2_untied", "stablelm")
# The end of a module's name and the weights that read the same rows; '#' is the layer.
WEIGHTS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    "attention.query_key_value": "attn_qkv", "attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
    "self_attention.query_key_value": "attn_qkv", "self_attention.dense": "attn_output",
}


def weight_of(module: str) -> str | None:
    """'model.layers.3.mlp.up_proj' -> 'blk.3.ffn_up.weight'"""
    found = re.search(r"\.(\d+)\.(.*)$", module)
    if found and found[2] in WEIGHTS:
        return f"blk.{found[1]}.{WEIGHTS[found[2]]}.weight"
    return "output.weight" if module in ("lm_head", "embed_out") else None


def expected(folder: pathlib.Path, chunks: list[list[int]]) -> dict[str, tuple[np.ndarray, int]]:
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    sums, rows = {}, {}

    def hook(name):
        def add(module, inputs, output):
            x = inputs[0].reshape(-1, inputs[0].shape[-1]).double()
            sums[name] = sums.get(name, 0) + (x * x).sum(0)
            rows[name] = rows.get(name, 0) + len(x)
        return add

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D":
            weight = weight_of(name)
            if weight is None:
                raise SystemExit(f"FAILED: {folder.name}: no weight known for {name}")
            if weight != "output.weight":
                module.register_forward_hook(hook(weight))
    with torch.no_grad():
        for chunk in chunks:
            model(torch.tensor([chunk]))
    return {name: (sums[name].numpy(), rows[name]) for name in sums}


def main() -> None:
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        text = work / "text"
        text.write_text(TEXT)
        for model, folder in oracle.save_transformers_models(work).items():
            if model not in MODELS:
                continue
            ids = json.loads(oracle.tinyllm("tokenize", folder, "--text-file", text, "--no-special", "--json"))["tokens"]
            chunks = [ids[i:i + CHUNK] for i in range(0, len(ids), CHUNK)]
            report = json.loads(oracle.tinyllm("imatrix", folder, "-f", text, "-c", CHUNK, "--exact", "-o", work / "m.gguf", "--json"))
            oracle.check(report["chunks"] == len(chunks) and report["chunk_size"] == CHUNK, f"{model}: {len(chunks)} pieces of {CHUNK}")
            tensors = {t.name: t.data.reshape(-1) for t in gguf.GGUFReader(work / "m.gguf").tensors}
            want = expected(folder, chunks)
            off = 0.0
            for weight, (sums, rows) in want.items():
                have = tensors[weight + ".in_sum2"]
                counted = int(tensors[weight + ".counts"][0])
                if counted != rows or len(have) != len(sums):
                    raise SystemExit(f"FAILED: {model}: {weight}: {counted} rows of {len(have)}, expected {rows} of {len(sums)}")
                off = max(off, float((np.abs(have - sums) / (sums + 1e-3 * sums.mean())).max()))
            oracle.check(set(tensors) == {w + end for w in want for end in (".in_sum2", ".counts")} and off < 1e-3,
                         f"{model}: sums of squares before {len(want)} weights, {off:.1e} off at most")


main()
