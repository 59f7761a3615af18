#!/usr/bin/env python3
"""llama.cpp loads what `tinyllm convert` writes, computes the same logits as transformers, splits text into the same ids;
its quantizer and ours agree byte for byte; and its quantized file loads here."""
import json
import pathlib

import oracle

oracle.require("llama_cpp", "gguf", "torch", "transformers")

import ctypes

import gguf
import llama_cpp
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXT = "the cat sat on the mat, then 12 dogs ran\n\n  away"


def open_llama(path: pathlib.Path) -> llama_cpp.Llama:
    return llama_cpp.Llama(str(path), n_ctx=64, n_threads=1, logits_all=True, verbose=False, flash_attn=False,
                           type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()) / a.std())


def quantize_by_llama_cpp(source: pathlib.Path, target: pathlib.Path, file_type: int) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.nthread = 1
    params.pure = True
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    oracle.check(status == 0, f"llama.cpp quantizes {source.name}")


def tensor_bytes(path: pathlib.Path) -> dict[str, tuple[str, bytes]]:
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def our_logits(path: pathlib.Path, text_file: pathlib.Path) -> tuple[list[int], np.ndarray]:
    result = json.loads(oracle.tinyllm("score", path, "--text-file", text_file, "--logits", "--exact", "--json"))
    return result["tokens"], np.array(result["next_logits"], np.float32)


def check_model(name: str, folder: pathlib.Path, work: pathlib.Path) -> None:
    reference = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(folder)(TEXT, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        expected = reference(torch.tensor([ids])).logits[0].numpy()

    f32 = work / f"{name}.gguf"
    oracle.tinyllm("convert", folder, f32, "--dtype", "f32", "--verify")
    llama = open_llama(f32)
    oracle.check(llama.tokenize(TEXT.encode(), add_bos=False, special=True) == ids, f"{name}: llama.cpp's ids are the same")
    llama.eval(ids)
    got = np.array(llama.scores[: len(ids), : expected.shape[1]])
    oracle.check(relative(expected, got) < 1e-3, f"{name}: llama.cpp's logits, {relative(expected, got):.1e} off")

    text_file = work / "text"
    text_file.write_text(TEXT)
    our_ids, logits = our_logits(f32, text_file)
    oracle.check(our_ids[-len(ids):] == ids, f"{name}: our ids from the GGUF file")
    oracle.check(relative(expected[-1], logits) < 1e-4, f"{name}: our logits from the GGUF file")

    for type_name, file_type in (("q8_0", 7), ("q4_0", 2)):
        ours, theirs = work / f"{name}-{type_name}.gguf", work / f"{name}-{type_name}-llama.gguf"
        oracle.tinyllm("quantize", f32, ours, "--type", type_name)
        quantize_by_llama_cpp(f32, theirs, file_type)
        a, b = tensor_bytes(ours), tensor_bytes(theirs)
        differing = [t for t in b if a.get(t) != b[t]]
        oracle.check(set(a) == set(b) and not differing, f"{name}: llama.cpp's {type_name} bytes {differing}")
        _, from_theirs = our_logits(theirs, text_file)
        _, from_ours = our_logits(ours, text_file)
        oracle.check(np.array_equal(from_ours, from_theirs), f"{name}: llama.cpp's {type_name} file loads here")


def main() -> None:
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        for model, folder in oracle.save_transformers_models(work).items():
            check_model(model, folder, work)


main()
