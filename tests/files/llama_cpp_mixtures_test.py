#!/usr/bin/env python3
"""`tinyllm quantize` writes llama.cpp's mixtures: every tensor's type and bytes, general.file_type, with and without an importance
matrix, with types for embedding and head."""
import concurrent.futures
import ctypes
import os
import pathlib

import oracle

oracle.require("llama_cpp", "gguf", "torch", "transformers")

import gguf
import llama_cpp
import numpy as np
import torch
from transformers import (GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM)

MIXTURES = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14,
            "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25}
FEW = ("Q4_0", "Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q5_K_M")  # those whose rules say most
WEIGHED = ("Q4_0", "Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_S")
WEIGHED_FEW = ("Q4_0", "Q4_K_S")
BY_IMPORTANCE = ("Q4_0", "Q5_0", "IQ4_NL")  # whose types depend on whether there are importances
TYPE_NUMBERS = {"q8_0": 8, "q4_0": 2, "q6_k": 14, "q4_k": 12}


def models(vocabulary: int, end: int) -> dict:
    ids = {"vocab_size": vocabulary, "bos_token_id": end, "eos_token_id": end}

    def llama(layers, width, ff, kv_heads, tied, head_dim=None):
        return LlamaForCausalLM(LlamaConfig(hidden_size=width, intermediate_size=ff, num_hidden_layers=layers, num_attention_heads=4, head_dim=head_dim,
                                            num_key_value_heads=kv_heads, max_position_embeddings=64, tie_word_embeddings=tied, **ids))

    def qwen(layers, width, kv_heads, tied):
        return Qwen2ForCausalLM(Qwen2Config(hidden_size=width, intermediate_size=256, num_hidden_layers=layers, num_attention_heads=4,
                                            num_key_value_heads=kv_heads, max_position_embeddings=64, tie_word_embeddings=tied, **ids))

    # As few weights as show a rule: which layers get more bits needs many layers, a fallback one row that fits no block of 256.
    return {
        "llama of 16 layers": (llama(16, 256, 256, 2, False, 16), MIXTURES, BY_IMPORTANCE),
        "llama of 9 layers, 4 heads to a key": (llama(9, 256, 256, 1, True), (*FEW, "IQ4_NL"), BY_IMPORTANCE),
        "llama of 320 columns": (llama(3, 320, 256, 2, False), MIXTURES, WEIGHED_FEW),
        "llama of 80 columns": (llama(4, 80, 176, 4, True), FEW, WEIGHED_FEW),
        "llama of 32 layers": (llama(32, 96, 128, 4, False), FEW, WEIGHED_FEW),
        "gpt2": (GPT2LMHeadModel(GPT2Config(n_embd=256, n_inner=256, n_layer=8, n_head=4, n_positions=64, **ids)), MIXTURES, WEIGHED),
        "gpt2 of 96 columns": (GPT2LMHeadModel(GPT2Config(n_embd=96, n_layer=4, n_head=4, n_positions=64, **ids)), FEW, WEIGHED_FEW),
        "gpt_neox": (GPTNeoXForCausalLM(GPTNeoXConfig(hidden_size=256, intermediate_size=256, num_hidden_layers=7, num_attention_heads=4,
                                                      max_position_embeddings=64, **ids)), FEW, WEIGHED_FEW),
        "qwen2, tied": (qwen(5, 256, 2, True), FEW, WEIGHED_FEW),
        "qwen2, untied": (qwen(24, 128, 1, False), FEW, WEIGHED_FEW),
    }


@llama_cpp.llama_log_callback
def quiet(level, text, data) -> None:
    pass


def quantize_by_llama_cpp(source: pathlib.Path, target: pathlib.Path, file_type: int, importance: dict[str, np.ndarray],
                          **more: int) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = file_type, 2
    for name, value in more.items():
        setattr(params, name, value)
    entries = (llama_cpp.llama_model_imatrix_data * (len(importance) + 1))()
    names = [name.encode() for name in importance]
    for entry, name, values in zip(entries, names, importance.values()):
        entry.name, entry.data, entry.size = name, values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), len(values)
    if importance:
        params.imatrix = entries
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if status != 0:
        raise SystemExit(f"FAILED: llama.cpp makes {target.name}")


def contents(path: pathlib.Path) -> tuple[int, dict[str, tuple[str, bytes]]]:
    reader = gguf.GGUFReader(path)
    tensors = {t.name: (t.tensor_type.name.lower(), t.data.tobytes()) for t in reader.tensors}
    return int(reader.fields["general.file_type"].parts[-1][0]), tensors


def write_imatrix(path: pathlib.Path, f32: pathlib.Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Made-up importances of every matrix within the layers, as llama.cpp's file; returns the means that it holds."""
    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["made up"])
    writer.add_uint32("imatrix.chunk_count", 3)
    writer.add_uint32("imatrix.chunk_size", 64)
    means = {}
    for tensor in gguf.GGUFReader(f32).tensors:
        if len(tensor.shape) < 2 or not tensor.name.startswith("blk."):
            continue
        sums = np.exp(2 * rng.standard_normal(int(tensor.shape[0]))).astype(np.float32)
        writer.add_tensor(tensor.name + ".in_sum2", sums[None])
        writer.add_tensor(tensor.name + ".counts", np.array([[192]], np.float32))
        means[tensor.name] = sums / np.float32(192)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return means


def compare(what: str, ours: pathlib.Path, theirs: pathlib.Path) -> str:
    (number, a), (wanted_number, b) = contents(ours), contents(theirs)
    differing = [f"{n} {a.get(n, ('none',))[0]} {b[n][0]}" for n in b if a.get(n) != b[n]]
    what += f": {len(b)} tensors of {', '.join(sorted({t for t, _ in b.values()}))}"
    if set(a) != set(b) or differing or number != wanted_number:
        raise SystemExit(f"FAILED: {what} {differing[:5]} {number} {wanted_number}")
    return what


def cases(kinds, weighed, means: dict[str, np.ndarray], imatrix: pathlib.Path, fits: bool):
    """What is compared of one model: a name, the mixture, our flags, importances, llama.cpp's settings."""
    for kind in kinds:
        yield kind, kind, [], {}, {}
    for kind in weighed:
        yield f"{kind} by importance", kind, ["--imatrix", imatrix], means, {}
    if not fits:
        return  # where a type that was asked for by name does not fit, llama.cpp fails
    for flags in ({"token_embedding_type": "q4_0"}, {"output_tensor_type": "q8_0"},
                  {"token_embedding_type": "q8_0", "output_tensor_type": "q4_0"}):
        chosen = [word for n, t in flags.items() for word in ("--" + n.replace("_", "-"), t)]
        yield f"Q4_K_M {' '.join(chosen)}", "Q4_K_M", chosen, {}, {n: TYPE_NUMBERS[t] for n, t in flags.items()}


def main() -> None:
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    tokenizer = oracle.byte_level_tokenizer()
    with oracle.temporary_folder() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = pathlib.Path(name)

        def compare_case(number: int, model: str, f32: pathlib.Path, case) -> str:
            what, kind, flags, means, settings = case
            ours, theirs = f32.with_suffix(f".{number}.ours"), f32.with_suffix(f".{number}.theirs")
            quantize_by_llama_cpp(f32, theirs, MIXTURES[kind], means, **settings)
            oracle.tinyllm("quantize", f32, ours, "--type", kind, "--fallback", *flags)
            said = compare(f"{model} {what}", ours, theirs)
            ours.unlink()
            theirs.unlink()
            return said

        for model, (network, kinds, weighed) in models(320, tokenizer.token_to_id("<|endoftext|>")).items():
            f32, imatrix = work / "f32.gguf", work / "imatrix.gguf"
            network.save_pretrained(work / "model")
            PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>",
                                    eos_token="<|endoftext|>").save_pretrained(work / "model")
            oracle.tinyllm("convert", work / "model", f32, "--dtype", "f32")
            means = write_imatrix(imatrix, f32, rng)
            # Of each kind of network one model, the smallest, has the types of embedding and head chosen.
            fits = network.config.hidden_size % 32 == 0 and kinds is FEW
            running = [pool.submit(compare_case, i, model, f32, case)
                       for i, case in enumerate(cases(kinds, weighed, means, imatrix, fits))]
            for done in running:
                oracle.check(True, done.result())


main()
