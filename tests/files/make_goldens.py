#!/usr/bin/env python3
"""Writes golden/ with the `gguf`, `safetensors` and `torch` packages: what the tests read back is the work of others.

Values are small integers and their quarters, so that every type stores them exactly:
element i of tensor t holds ((i + t) % 17 - 8) / 4.
"""
import collections
import json
import os
import pathlib

import gguf
import numpy as np
import torch
from gguf.quants import quantize
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent / "golden"


def values(t: int, *shape: int) -> np.ndarray:
    n = int(np.prod(shape))
    return (((np.arange(n) + t) % 17 - 8) / 4).astype(np.float32).reshape(shape)


def write_gguf(path: pathlib.Path) -> None:
    w = gguf.GGUFWriter(path, "toy", endianess=gguf.GGUFEndian.LITTLE)
    w.add_uint8("k.u8", 200)
    w.add_int8("k.i8", -100)
    w.add_uint16("k.u16", 60000)
    w.add_int16("k.i16", -30000)
    w.add_uint32("k.u32", 4000000000)
    w.add_int32("k.i32", -2000000000)
    w.add_uint64("k.u64", 2**62)
    w.add_key_value("k.i64", -(2**62), gguf.GGUFValueType.INT64)
    w.add_float32("k.f32", 0.25)
    w.add_float64("k.f64", 1e-300)
    w.add_bool("k.bool", True)
    w.add_string("k.string", "grüße\n")
    w.add_array("k.strings", ["", "a", "Ġthe", "▁x"])
    w.add_array("k.ints", [3, -1, 2])
    w.add_array("k.floats", [0.5, -1000.0])
    for t, (name, kind, shape) in enumerate(
        [
            ("f32", gguf.GGMLQuantizationType.F32, (3, 5)),
            ("f16", gguf.GGMLQuantizationType.F16, (2, 3, 4)),
            ("bf16", gguf.GGMLQuantizationType.BF16, (7,)),
            ("q8_0", gguf.GGMLQuantizationType.Q8_0, (4, 64)),
            ("q4_0", gguf.GGMLQuantizationType.Q4_0, (2, 32)),
            ("q5_1", gguf.GGMLQuantizationType.Q5_1, (2, 32)),
        ]
    ):
        w.add_tensor(name, quantize(values(t, *shape), kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def tensors() -> dict[str, torch.Tensor]:
    return {
        "f32": torch.from_numpy(values(0, 3, 5)),
        "f16": torch.from_numpy(values(1, 2, 3, 4)).half(),
        "bf16": torch.from_numpy(values(2, 7)).bfloat16(),
        "scalar": torch.tensor(0.25),
        "empty": torch.zeros(0, 4),
        "ids": torch.arange(6).reshape(2, 3),
    }


def main() -> None:
    HERE.mkdir(exist_ok=True)
    write_gguf(HERE / "toy.gguf")
    single = HERE / "single"
    single.mkdir(exist_ok=True)
    save_file(tensors(), single / "model.safetensors", metadata={"format": "pt"})
    (single / "config.json").write_text(json.dumps({"model_type": "toy", "hidden_size": 5}))
    (single / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))

    sharded = HERE / "sharded"
    sharded.mkdir(exist_ok=True)
    (sharded / "config.json").write_text(json.dumps({"model_type": "toy"}))
    weight_map = {}
    names = list(tensors())
    for i, part in enumerate([names[:2], names[2:]]):
        shard = f"model-{i + 1:05}-of-00002.safetensors"
        save_file({n: tensors()[n] for n in part}, sharded / shard)
        weight_map |= {n: shard for n in part}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    write_torch()


class Evil:
    """Unpickling this would run a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/tinyllm-was-here",)


def write_torch() -> None:
    """pytorch_model.bin in both forms torch.save knows: shared storages, strides, a parameter, a shard."""
    folder = HERE / "torch"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "toy"}))
    state = collections.OrderedDict(tensors())
    state._metadata = collections.OrderedDict({"": {"version": 1}})  # as Module.state_dict() has it
    state["same"] = state["f32"]
    state["row"] = state["f32"][1]
    state["transposed"] = state["f16"].permute(2, 0, 1)
    state["parameter"] = torch.nn.Parameter(torch.from_numpy(values(3, 4)))
    for name, is_zip in (("zip.bin", True), ("legacy.bin", False)):
        torch.save(state, folder / name, _use_new_zipfile_serialization=is_zip)
        evil = {"f32": state["f32"], "x": Evil()}
        torch.save(evil, folder / f"evil_{name}", _use_new_zipfile_serialization=is_zip)
    shard = "pytorch_model-00001-of-00001.bin"
    torch.save(state, folder / shard)
    index = {"metadata": {}, "weight_map": {name: shard for name in state}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


main()
