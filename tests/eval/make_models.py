#!/usr/bin/env python3
"""Writes one small random model of every family transformers knows, with a tokenizer of the family's kind, for compare_harness.py:
make_models.py OUT [family ...]. Needs torch, transformers, tokenizers and sentencepiece."""
import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "golden"), str(HERE.parent / "tokenizers")]
import torch
import transformers

import golden_lib
import oracle

CONTEXT = 512  # the harness refuses answers that are longer; some questions are, so that truncation is compared too
LLAMA = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": CONTEXT}
MODELS = {  # family: tokenizer, settings
    "gpt2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}),
    "llama": ("llama_legacy", LLAMA),
    "qwen2": ("qwen2", LLAMA),
    "gpt_neox": ("neox", {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
                          "max_position_embeddings": CONTEXT}),
    "bloom": ("bloom", {"hidden_size": 60, "n_layer": 2, "n_head": 6}),
    "opt": ("opt", {"hidden_size": 64, "ffn_dim": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "word_embed_proj_dim": 48,
                    "do_layer_norm_before": False, "max_position_embeddings": CONTEXT}),
    "stablelm": ("neox", LLAMA),
    "t5": ("t5", {"d_model": 64, "d_ff": 160, "d_kv": 16, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4,
                  "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "n_positions": CONTEXT, "decoder_start_token_id": 0}),
    "t5_tied": ("t5_spiece", {"d_model": 64, "d_ff": 160, "d_kv": 16, "num_layers": 2, "num_heads": 4, "n_positions": CONTEXT,
                              "decoder_start_token_id": 0}),
}


def t5(settings):
    torch.manual_seed(11)
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * (weight.shape[-1] ** -0.5 if weight.dim() == 2 else 0.3) + (weight.dim() == 1))
    return model


def main():
    out = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or MODELS
    with tempfile.TemporaryDirectory() as work:
        oracle.make(work + "/tokenizers", {MODELS[name][0] for name in names})
        for name in names:
            kind, settings = MODELS[name]
            tokenizer = pathlib.Path(work) / "tokenizers" / kind
            vocab = len(transformers.AutoTokenizer.from_pretrained(tokenizer))
            settings = {**settings, "vocab_size": vocab, "pad_token_id": 0}
            model = t5(settings) if name.startswith("t5") else golden_lib.make_model(name, settings, seed=11)
            shutil.rmtree(out / name, ignore_errors=True)
            model.save_pretrained(out / name)
            for file in tokenizer.iterdir():
                if file.name != "config.json":
                    shutil.copy(file, out / name)
            print(out / name, vocab, json.dumps(settings))


if __name__ == "__main__":
    main()
