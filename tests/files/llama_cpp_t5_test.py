#!/usr/bin/env python3
"""llama.cpp loads the T5 files that `tinyllm convert` writes and computes what transformers computes; the tensors have the names of
the gguf package's tables; its quantizer and ours agree byte for byte. Token ids only: the files hold no tokenizer."""
import ctypes
import pathlib

import oracle

oracle.require("llama_cpp", "gguf", "torch", "transformers")

import gguf
import llama_cpp
import numpy as np
import torch
from transformers import T5Config, T5ForConditionalGeneration

SHAPE = dict(vocab_size=96, d_model=64, d_kv=32, num_heads=3, d_ff=96, num_layers=2, n_positions=64, decoder_start_token_id=0)
MODELS = {
    "flan": dict(SHAPE, feed_forward_proj="gated-gelu", tie_word_embeddings=False, relative_attention_num_buckets=17),
    "original": SHAPE,
}


def random_model(settings: dict) -> T5ForConditionalGeneration:
    torch.manual_seed(1)
    model = T5ForConditionalGeneration(T5Config(**settings)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.3 if weight.dim() == 2 and "relative" not in name else 1.0
            weight.copy_(torch.randn_like(weight) * scale + (1.0 if weight.dim() == 1 else 0.0))
    return model


def batch_of(tokens: list[int], first: int):
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, first + i, 1, 0, 1
    return batch


def run_llama_cpp(path: pathlib.Path, context: list[int], decoder: list[int], vocab: int) -> np.ndarray:
    """Logits of every token of `decoder`."""
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    oracle.check(bool(model), f"llama.cpp loads {path.name}")
    oracle.check(llama_cpp.llama_model_has_encoder(model) and llama_cpp.llama_model_decoder_start_token(model) == decoder[0],
                 f"llama.cpp sees an encoder and the decoder's first token in {path.name}")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 64, 1, 1
    params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
    params.flash_attn_type = getattr(llama_cpp, "LLAMA_FLASH_ATTN_TYPE_DISABLED", 0)
    state = llama_cpp.llama_init_from_model(model, params)
    oracle.check(llama_cpp.llama_encode(state, batch_of(context, 0)) == 0, "llama.cpp encodes")
    oracle.check(llama_cpp.llama_decode(state, batch_of(decoder, 0)) == 0, "llama.cpp decodes")
    rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(state, i), (vocab,)).copy() for i in range(len(decoder))]
    llama_cpp.llama_free(state)
    llama_cpp.llama_model_free(model)
    return np.array(rows)


class HalfTable(torch.nn.Module):
    """llama.cpp looks gelu up in a table of f16 by f16: the larger part of its difference from transformers."""

    def __init__(self, exact):
        super().__init__()
        self.exact = exact

    def forward(self, x):
        return self.exact(x.half().float()).half().float()


def round_gelu(model) -> None:
    for module in model.modules():
        if hasattr(module, "wi_1"):
            module.act = HalfTable(module.act)


def tensors_of(path: pathlib.Path) -> dict[str, tuple[str, bytes]]:
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def quantized_by_llama_cpp(source: pathlib.Path, target: pathlib.Path) -> dict[str, tuple[str, bytes]]:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.pure = 7, 1, True
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    oracle.check(status == 0, f"llama.cpp quantizes {source.name}")
    return tensors_of(target)


def main() -> None:
    known = {gguf.TENSOR_NAMES[t] for t in gguf.MODEL_TENSORS[gguf.MODEL_ARCH.T5]}
    context, decoder = [5, 17, 3, 90, 44, 8, 61, 2, 33, 1], [0, 12, 7, 95, 40, 7]
    with oracle.temporary_folder() as name:
        work = pathlib.Path(name)
        for model_name, settings in MODELS.items():
            model = random_model(settings)
            model.save_pretrained(work / model_name)
            if settings.get("feed_forward_proj") == "gated-gelu":
                round_gelu(model)
            with torch.no_grad():
                expected = model(torch.tensor([context]), decoder_input_ids=torch.tensor([decoder])).logits[0].numpy()
            if model.config.tie_word_embeddings:  # llama.cpp leaves this out, which changes no order
                expected = expected * model.config.d_model**0.5
            path = work / f"{model_name}.gguf"
            oracle.tinyllm("convert", work / model_name, path, "--dtype", "f32", "--verify")
            ours = tensors_of(path)
            strange = [t for t in ours if ".".join("{bid}" if p.isdigit() else p for p in t.split(".")[:-1]) not in known]
            oracle.check(not strange, f"{model_name}: the gguf package knows all tensors {strange}")
            got = run_llama_cpp(path, context, decoder, settings["vocab_size"])
            off = float(np.abs(got - expected).max() / expected.std())
            oracle.check(off < 2e-3, f"{model_name}: llama.cpp's logits, {off:.1e} off")
            rounded = work / f"{model_name}-q8_0.gguf"
            oracle.tinyllm("quantize", path, rounded, "--type", "q8_0")
            a, b = tensors_of(rounded), quantized_by_llama_cpp(path, work / "theirs.gguf")
            differing = [t for t in b if a.get(t) != b[t]]
            oracle.check(set(a) == set(b) and not differing, f"{model_name}: llama.cpp's q8_0 bytes {differing}")


main()
