#!/usr/bin/env python3
"""The `gguf` package reads what `tinyllm convert` writes, and quantizes to the same bytes."""
import json
import pathlib

import oracle

oracle.require("gguf", "torch", "transformers", "safetensors")

import gguf
import numpy as np
import torch
from gguf.quants import quantize
from safetensors.torch import load_file

TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q5_0": gguf.GGMLQuantizationType.Q5_0,
    "q5_1": gguf.GGMLQuantizationType.Q5_1,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
    "q4_1": gguf.GGMLQuantizationType.Q4_1,
}
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q4_0": 2, "q4_1": 3}


def llama_rope_rows(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """The order of q and k rows in llama.cpp's files: the halves of each head interleaved."""
    head_dim = weight.shape[0] // n_heads
    halves = weight.reshape(n_heads, 2, head_dim // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def expected_tensors(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """The folder's tensors in f32 under the package's own GGUF names, in llama.cpp's layout."""
    config = json.loads((folder / "config.json").read_text())
    is_llama = config["model_type"] == "llama"
    arch = gguf.MODEL_ARCH.LLAMA if is_llama else gguf.MODEL_ARCH.GPT2
    layers = config["num_hidden_layers"] if is_llama else config["n_layer"]
    names = gguf.get_tensor_name_map(arch, layers)
    out = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        value = tensor.to(torch.float32).numpy()
        if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            value = value.T
        if name.endswith("q_proj.weight"):
            value = llama_rope_rows(value, config["num_attention_heads"])
        if name.endswith("k_proj.weight"):
            value = llama_rope_rows(value, config["num_key_value_heads"])
        out[names.get_name(name, try_suffixes=(".weight", ".bias"))] = np.ascontiguousarray(value)
    return out


def check_file(path: pathlib.Path, folder: pathlib.Path, type_name: str) -> None:
    reader = gguf.GGUFReader(path)
    config = json.loads((folder / "config.json").read_text())
    arch = reader.get_field("general.architecture").contents()
    oracle.check(arch == config["model_type"], f"{path.name}: architecture {arch}")
    oracle.check(reader.get_field("general.file_type").contents() == FILE_TYPES[type_name],
                 f"{path.name}: general.file_type")
    blocks = config.get("num_hidden_layers", config.get("n_layer"))
    oracle.check(reader.get_field(f"{arch}.block_count").contents() == blocks, f"{path.name}: block_count")

    expected = expected_tensors(folder)
    found = {t.name: t for t in reader.tensors}
    extra = set(found) - set(expected) - {"rope_freqs.weight"}
    oracle.check(not extra and set(expected) <= set(found), f"{path.name}: the package's tensor names {extra}")
    for name, value in expected.items():
        tensor = found[name]
        keep = value.ndim == 1 or name == "position_embd.weight"
        kind = gguf.GGMLQuantizationType.F32 if keep else TYPES[type_name]
        if tensor.tensor_type != kind:
            raise SystemExit(f"FAILED: {path.name}: {name} is {tensor.tensor_type!r}, expected {kind!r}")
        if list(reversed(tensor.shape.tolist())) != list(value.shape):
            raise SystemExit(f"FAILED: {path.name}: {name} has dims {tensor.shape}, expected {value.shape} reversed")
        if quantize(value, kind).tobytes() != tensor.data.tobytes():
            raise SystemExit(f"FAILED: {path.name}: {name}: bytes differ from the package's {kind.name}")
    print(f"ok: {path.name}: {len(expected)} tensors, byte for byte")


def main() -> None:
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        for model, folder in oracle.save_transformers_models(work).items():
            if not model.startswith(("gpt2", "llama")):  # the orders of rows above are theirs; llama.cpp itself reads the others
                continue
            for type_name in TYPES:
                direct = work / f"{model}-{type_name}.gguf"
                oracle.tinyllm("convert", folder, direct, "--dtype", type_name)
                check_file(direct, folder, type_name)
            twice = work / f"{model}-f32-q8_0.gguf"
            oracle.tinyllm("quantize", work / f"{model}-f32.gguf", twice, "--type", "q8_0")
            check_file(twice, folder, "q8_0")
            oracle.check(twice.read_bytes() == (work / f"{model}-q8_0.gguf").read_bytes(),
                         f"{twice.name}: quantizing later gives the same file")


main()
