#!/usr/bin/env python3
"""Writes one small random model of every family, in the form its publishers use, for compare_harness.py:
make_models.py OUT DATA [family ...]. The tokenizers are of each family's kind and trained on the questions below DATA, so that words, digits,
spaces and rare letters fall as they do with the published ones. Needs torch, transformers, tokenizers and sentencepiece."""
import json
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "golden"), str(HERE.parent / "tokenizers")]
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

import golden_lib
import make_goldens
import oracle

VOCABULARY = 3000
CONTEXT = 1024  # some questions with examples are longer, so that truncation is compared too; qwen2 takes them whole


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("id", "qID", "source_id", "split", "split_type", "ctx"):
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def questions(data):
    """Every string of every JSON lines file below the folder."""
    out = []
    for path in sorted(pathlib.Path(data).rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                out.extend(strings(json.loads(line)))
    return sorted(set(out))


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def sentencepiece(folder, name, text, kind, **settings):
    import sentencepiece as spm
    with tempfile.TemporaryDirectory() as work:
        lines = pathlib.Path(work) / "text.txt"
        lines.write_text("\n".join(line.replace("\n", " ") for line in text if len(line) < 4000)[:1_500_000], encoding="utf-8")
        spm.SentencePieceTrainer.train(input=str(lines), model_prefix=str(folder / name), model_type=kind, vocab_size=VOCABULARY,
                                       minloglevel=2, num_threads=1, **settings)
    os.remove(folder / f"{name}.vocab")


class Tokenizers:
    """One method per form; each fills a folder with the tokenizer's files."""

    def __init__(self, text):
        self.text = text
        oracle.training_text = lambda: text  # what oracle's trainers read

    def gpt2(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY)
        t.save(str(folder / "tokenizer.json"))
        t.model.save(str(folder))
        write_json(folder / "tokenizer_config.json", {"model_max_length": CONTEXT})

    def opt(self, folder):
        """No tokenizer.json; BOS is asked for in tokenizer_config.json."""
        oracle.byte_level_bpe(VOCABULARY, special=("<s>", "<pad>", "</s>", "<unk>")).model.save(str(folder))
        token = {"__type": "AddedToken", "content": "</s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
        write_json(folder / "tokenizer_config.json", {
            "errors": "replace", "unk_token": token, "bos_token": token, "eos_token": token, "pad_token": {**token, "content": "<pad>"},
            "add_prefix_space": False, "add_bos_token": True, "special_tokens_map_file": None, "tokenizer_class": "GPT2Tokenizer"})
        plain = {key: value for key, value in token.items() if key != "__type"}
        write_json(folder / "special_tokens_map.json", {"bos_token": plain, "eos_token": plain, "unk_token": plain,
                                                        "pad_token": {**plain, "content": "<pad>"}})

    def gpt_neox(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY, normalizer=normalizers.NFC(), special=("<|endoftext|>", "<|padding|>"))
        t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
        t.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", {
            "unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_prefix_space": False,
            "tokenizer_class": "GPTNeoXTokenizer"})
        write_json(folder / "special_tokens_map.json", {key: "<|endoftext|>" for key in ("bos_token", "eos_token", "unk_token")})

    def bloom(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY, pre=oracle.split_pre(oracle.BLOOM), special=("<unk>", "<s>", "</s>", "<pad>"))
        t.save(str(folder / "tokenizer.json"))
        named = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
        write_json(folder / "tokenizer_config.json", {**named, "add_prefix_space": False, "name_or_path": "bigscience/tokenizer",
                                                      "padding_side": "left", "tokenizer_class": "BloomTokenizerFast"})
        write_json(folder / "special_tokens_map.json", named)

    def llama(self, folder):
        """sentencepiece's model alone."""
        sentencepiece(folder, "tokenizer", self.text, "bpe", byte_fallback=True, normalization_rule_name="identity",
                      remove_extra_whitespaces=False, split_digits=True, character_coverage=0.9995)
        token = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
        write_json(folder / "tokenizer_config.json", {
            "add_bos_token": True, "add_eos_token": False, "bos_token": {**token, "content": "<s>"},
            "eos_token": {**token, "content": "</s>"}, "unk_token": {**token, "content": "<unk>"}, "legacy": False,
            "clean_up_tokenization_spaces": False, "model_max_length": 1000000000000000019884624838656, "pad_token": None,
            "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer"})

    def mistral(self, folder):
        """The model and its conversion to tokenizer.json side by side."""
        self.llama(folder)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        write_json(folder / "tokenizer_config.json", {**config, "legacy": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
        transformers.AutoTokenizer.from_pretrained(folder)._tokenizer.save(str(folder / "tokenizer.json"))

    def smollm(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY, pre=pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
            special=("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"))
        t.save(str(folder / "tokenizer.json"))
        t.model.save(str(folder))
        write_json(folder / "tokenizer_config.json", {
            "add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False, "tokenizer_class": "GPT2Tokenizer", "vocab_size": VOCABULARY})

    def qwen2(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY, normalizer=normalizers.NFC(), pre=oracle.split_pre(oracle.QWEN2), special=())
        t.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
        t.save(str(folder / "tokenizer.json"))
        t.model.save(str(folder))
        added = {str(t.token_to_id(name)): {"content": name, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                            "special": True} for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")}
        write_json(folder / "tokenizer_config.json", {
            "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            "bos_token": None, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": None, "errors": "replace",
            "clean_up_tokenization_spaces": False, "model_max_length": 32768, "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer"})

    def llama3(self, folder):
        t = oracle.byte_level_bpe(VOCABULARY, pre=oracle.split_pre(oracle.LLAMA3), special=(), ignore_merges=True)
        t.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
        begin = t.token_to_id("<|begin_of_text|>")
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)])])
        t.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", {
            "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "clean_up_tokenization_spaces": True,
            "model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "PreTrainedTokenizerFast"})

    def t5(self, folder):
        """As Flan-T5: spiece.model with NFKC, its conversion, a hundred sentinels."""
        self.t5_spiece(folder)
        transformers.AutoTokenizer.from_pretrained(folder)._tokenizer.save(str(folder / "tokenizer.json"))

    def t5_spiece(self, folder):
        sentencepiece(folder, "spiece", self.text, "unigram", character_coverage=0.9995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
                      max_sentence_length=8000)
        write_json(folder / "tokenizer_config.json", {
            "additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "eos_token": "</s>", "unk_token": "<unk>",
            "pad_token": "<pad>", "extra_ids": 100, "model_max_length": 512, "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer"})


LLAMA = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": CONTEXT}
NEOX = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT}
OPT = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT,
       "bos_token_id": 2, "eos_token_id": 2}
T5 = {"d_model": 32, "d_ff": 64, "d_kv": 8, "num_layers": 2, "num_heads": 4, "n_positions": 512, "decoder_start_token_id": 0}
MODELS = {  # name: family, tokenizer, settings, how golden_lib.save() writes it
    "gpt2": ("gpt2", "gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
             {"edit_tensors": make_goldens.without_prefix("transformer.")}),
    "opt": ("opt", "opt", OPT, {"dtype": "f16", "form": "bin", "edit_config": make_goldens.as_published(prefix="</s>")}),
    "opt_350m": ("opt", "opt", {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 16}, {"dtype": "f16", "form": "legacy"}),
    "gpt_neox": ("gpt_neox", "gpt_neox", {**NEOX, "rotary_pct": 0.25}, {"dtype": "f16"}),
    "bloom": ("bloom", "bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "seq_length": 2048},  # which the harness takes, whatever the file says
              {"dtype": "f16", "edit_tensors": make_goldens.without_prefix("transformer."), "edit_config": make_goldens.bloom_as_released}),
    "llama": ("llama", "llama", LLAMA, {"form": "bin", "edit_config": make_goldens.as_published()}),
    "llama3": ("llama", "llama3", {**LLAMA, "rope_theta": 500000.0, "tie_word_embeddings": True, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 256}},
        {"dtype": "bf16"}),
    "smollm": ("llama", "smollm", {**LLAMA, "tie_word_embeddings": True}, {"dtype": "bf16"}),
    "mistral": ("mistral", "mistral", {**LLAMA, "sliding_window": 256}, {"dtype": "bf16", "shard": "300KB"}),
    "qwen2": ("qwen2", "qwen2", {**LLAMA, "max_position_embeddings": 4096, "tie_word_embeddings": True, "rope_theta": 1e6}, {"dtype": "bf16"}),
    "phonelm": ("phonelm", "smollm", {**LLAMA, "hidden_act": "relu", "tie_word_embeddings": True}, {"dtype": "bf16"}),
    "stablelm": ("stablelm", "gpt_neox", {**LLAMA, "use_qkv_bias": True}, {"dtype": "f16"}),
    "t5": ("t5", "t5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 3}, {}),
    "t5_tied": ("t5", "t5_spiece", T5, {}),
}


def make_t5(settings, seed):
    torch.manual_seed(seed)
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * (weight.shape[-1] ** -0.5 if weight.dim() == 2 else 0.3) + (weight.dim() == 1))
    return model


def make(folder, name, tokenizers):
    family, kind, settings, form = MODELS[name]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    getattr(tokenizers, kind)(folder)
    write_json(folder / "config.json", {"model_type": family})  # what AutoTokenizer goes by where tokenizer_config.json names no class
    vocabulary = len(transformers.AutoTokenizer.from_pretrained(folder))
    padded = -(-vocabulary // 64) * 64  # rows without a token, as published checkpoints have them
    settings = {**settings, "vocab_size": padded}
    if family == "t5":
        model = make_t5({**settings, "pad_token_id": 0}, seed=11)
        model.save_pretrained(folder)
    else:
        dtype = form.get("dtype", "f32")
        golden_lib.save(golden_lib.make_model(family, settings, 11, dtype), folder, **form)
    return vocabulary, padded


def main():
    out, data = pathlib.Path(sys.argv[1]), sys.argv[2]
    tokenizers = Tokenizers(questions(data))
    for name in sys.argv[3:] or MODELS:
        print(out / name, *make(out / name, name, tokenizers), flush=True)


if __name__ == "__main__":
    main()
