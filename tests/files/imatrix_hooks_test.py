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
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

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
# Of an encoder-decoder, behind "enc.blk.#." and "dec.blk.#.".
T5_WEIGHTS = {f"SelfAttention.{x}": f"attn_{x}" for x in "qkvo"} | {f"EncDecAttention.{x}": f"cross_attn_{x}" for x in "qkvo"} | {
    "DenseReluDense.wi": "ffn_up", "DenseReluDense.wi_0": "ffn_gate", "DenseReluDense.wi_1": "ffn_up", "DenseReluDense.wo": "ffn_down"}
T5_SHAPE = dict(d_model=64, d_kv=32, num_heads=3, d_ff=96, num_layers=2, n_positions=64, decoder_start_token_id=0)
T5_MODELS = {"flan-t5": dict(T5_SHAPE, num_decoder_layers=3, feed_forward_proj="gated-gelu", tie_word_embeddings=False), "t5": T5_SHAPE}


def weight_of(module: str) -> str | None:
    """'model.layers.3.mlp.up_proj' -> 'blk.3.ffn_up.weight'"""
    found = re.search(r"\.(\d+)\.(.*)$", module)
    if found and found[2] in WEIGHTS:
        return f"blk.{found[1]}.{WEIGHTS[found[2]]}.weight"
    found = re.fullmatch(r"(enc|dec)oder\.block\.(\d+)\.layer\.\d\.(.*)", module)
    if found and found[3] in T5_WEIGHTS:
        return f"{found[1]}.blk.{found[2]}.{T5_WEIGHTS[found[3]]}.weight"
    return "output.weight" if module in ("lm_head", "embed_out") else None


def save_t5_models(work: pathlib.Path) -> dict[str, pathlib.Path]:
    tokenizer = oracle.byte_level_tokenizer()
    paths = {}
    for name, settings in T5_MODELS.items():
        torch.manual_seed(1)
        model = T5ForConditionalGeneration(T5Config(vocab_size=320, **settings))
        for parameter, weight in model.named_parameters():
            # Nothing divides T5's attention scores: larger ones would let errors of rounding grow from layer to layer.
            torch.nn.init.normal_(weight, mean=1.0 if weight.dim() == 1 else 0.0, std=1.0 if "relative" in parameter else 0.15)
        paths[name] = work / name
        model.save_pretrained(paths[name])
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>").save_pretrained(paths[name])
    return paths


def run_t5(model, chunk: list[int]) -> None:
    """The encoder reads the first half; the decoder predicts the second, behind the token that begins it."""
    half = (len(chunk) + 1) // 2
    if half < len(chunk):
        start = model.config.decoder_start_token_id
        model(torch.tensor([chunk[:half]]), decoder_input_ids=torch.tensor([[start, *chunk[half:-1]]]))


def expected(folder: pathlib.Path, chunks: list[list[int]]) -> dict[str, tuple[np.ndarray, int]]:
    t5 = folder.name in T5_MODELS
    model = (T5ForConditionalGeneration if t5 else AutoModelForCausalLM).from_pretrained(folder, torch_dtype=torch.float32).eval()
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
            run_t5(model, chunk) if t5 else model(torch.tensor([chunk]))
    return {name: (sums[name].numpy(), rows[name]) for name in sums}


def main() -> None:
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        text = work / "text"
        text.write_text(TEXT)
        causal = oracle.save_transformers_models(work)
        for model, folder in ({name: causal[name] for name in MODELS} | save_t5_models(work)).items():
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
