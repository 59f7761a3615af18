#!/usr/bin/env python3
"""Every quantized type as llama.cpp writes it, alone and in its mixtures: the files load here, give the logits that llama.cpp gives for the
numbers they hold, and `tinyllm quantize` writes the same bytes where it is asked for the same types."""
import ctypes
import json
import pathlib
import re

import oracle

oracle.require("llama_cpp", "gguf", "torch", "transformers")

import gguf
import llama_cpp
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = "the cat sat on the mat and then the dog ran"
WIDTHS = {"wide": 256, "narrow": 320}  # the second fits no block of 256
# The command's name and llama.cpp's number of a file all of whose matrices are of one type.
PURE = {"q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k": 11, "q4_k": 14, "q5_k": 16, "q6_k": 18, "iq4_nl": 25}
MIXTURES = {"Q2_K": 10, "Q3_K_M": 12, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18}
F32 = 0


def save_model(folder: pathlib.Path, width: int) -> None:
    torch.manual_seed(width)
    tokenizer = oracle.byte_level_tokenizer()
    end = tokenizer.token_to_id("<|endoftext|>")
    config = LlamaConfig(vocab_size=320, hidden_size=width, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False, initializer_range=0.1,
                         bos_token_id=end, eos_token_id=end)
    LlamaForCausalLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>",
                            eos_token="<|endoftext|>").save_pretrained(folder)


@llama_cpp.llama_log_callback
def quiet(level, text, data) -> None:
    pass


def quantize_by_llama_cpp(source: pathlib.Path, target: pathlib.Path, file_type: int, pure: bool) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.pure, params.allow_requantize = file_type, 2, pure, True
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if status != 0:
        raise SystemExit(f"FAILED: llama.cpp makes {target.name}")


def tensors_of(path: pathlib.Path) -> dict[str, tuple[str, bytes]]:
    return {t.name: (t.tensor_type.name.lower(), t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def logits_by_llama_cpp(path: pathlib.Path, ids: list[int]) -> np.ndarray:
    llama = llama_cpp.Llama(str(path), n_ctx=64, n_threads=2, logits_all=True, verbose=False, flash_attn=False,
                            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)
    llama.eval(ids)
    return np.array(llama.scores[len(ids) - 1])


def our_logits(path: pathlib.Path, *flags: str) -> tuple[list[int], np.ndarray]:
    result = json.loads(oracle.tinyllm("score", path, TEXT, "--logits", "--json", *flags))
    return result["tokens"], np.array(result["next_logits"], np.float32)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()) / a.std())


def check_file(f32: pathlib.Path, theirs: pathlib.Path, plain: np.ndarray) -> None:
    """`plain`: logits before quantization, to tell how much there is to get wrong."""
    twin = theirs.with_suffix(".f32.gguf")  # the same numbers, in f32
    quantize_by_llama_cpp(theirs, twin, F32, True)
    ids, exact = our_logits(theirs, "--exact")
    fast = our_logits(theirs)[1]
    expected = logits_by_llama_cpp(twin, ids)[: len(exact)]
    own = logits_by_llama_cpp(theirs, ids)[: len(exact)]  # with rounded activations
    offs = [relative(expected, logits) for logits in (exact, fast, own, plain)]
    what = f"{theirs.stem}: logits off by {offs[0]:.1e} exact, {offs[1]:.1e} fast; llama.cpp {offs[2]:.1e}, quantizing {offs[3]:.1e}"
    oracle.check(offs[0] < 1e-3 and offs[1] < max(2 * offs[2], 0.03) and offs[0] < offs[3] / 3, what)

    wanted = tensors_of(theirs)
    rules = []
    for name, (type_name, _) in wanted.items():
        if name.endswith(".weight") and "norm" not in name:
            rules += ["--tensor-type", f"^{re.escape(name)}$={type_name}"]
    ours = theirs.with_suffix(".ours.gguf")
    oracle.tinyllm("quantize", f32, ours, "--type", "f32", *rules)
    found = tensors_of(ours)
    differing = [name for name in wanted if wanted[name] != found.get(name)]
    types = sorted({type_name for type_name, _ in wanted.values()})
    oracle.check(set(found) == set(wanted) and not differing, f"{theirs.stem}: bytes of {', '.join(types)} {differing}")
    for path in (twin, ours):
        path.unlink()


def main() -> None:
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        for model, width in WIDTHS.items():
            save_model(work / model, width)
            f32 = work / f"{model}.gguf"
            oracle.tinyllm("convert", work / model, f32, "--dtype", "f32")
            plain = our_logits(f32, "--exact")[1]
            for kind, file_type in MIXTURES.items():
                theirs = work / f"{model}-{kind}.gguf"
                quantize_by_llama_cpp(f32, theirs, file_type, False)
                check_file(f32, theirs, plain)
                theirs.unlink()
            for kind, file_type in PURE.items():
                if model == "narrow" and not kind.endswith("_k"):
                    continue
                theirs, ours = work / f"{model}-{kind}.gguf", work / f"{model}-{kind}-ours.gguf"
                quantize_by_llama_cpp(f32, theirs, file_type, True)
                if model == "wide":
                    check_file(f32, theirs, plain)
                oracle.tinyllm("quantize", f32, ours, "--type", kind, "--fallback")
                a, b = tensors_of(ours), tensors_of(theirs)
                differing = [f"{name} {a[name][0]} {b[name][0]}" for name in b if a.get(name) != b[name]]
                oracle.check(set(a) == set(b) and not differing, f"{model} {kind}: the whole file's tensors {differing}")


main()
