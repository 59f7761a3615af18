"""Small Unigram tokenizers: T5's pipeline in its forms, and one that falls back to bytes. Part of oracle.make()."""

import json
import os
import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

RULES = "FF21\t41\nFF22\t42\nFB01\t66 69\n3000\t20\nA0\t20\n9\t20\nA\t20\n65 301\tE9\n2460\t31\n200B\t\n7\t\n"
SYLLABLES = [a + b for a in "b br c d f g k l m n p r s st t tr v w".split() for b in "a e i o u ai ou".split()]


def text_file(root, oracle):
    """More words than oracle.training_text() has: a Unigram vocabulary holds no more than the text yields."""
    rng = random.Random(5)
    path = f"{root}/unigram.txt"
    with open(path, "w") as f:
        for line in oracle.training_text():
            f.write(line.replace("\n", " ").replace("\0", " ") + "\n")
        for _ in range(800):
            f.write(" ".join("".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 3))) for _ in range(8)) + "\n")
    return path


def train(root, folder, oracle, small, **options):
    import sentencepiece as spm
    os.makedirs(folder, exist_ok=True)
    settings = dict(input=text_file(root, oracle), model_prefix=f"{folder}/spiece", model_type="unigram", vocab_size=600,
                    hard_vocab_limit=False, character_coverage=0.985, minloglevel=2, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
                    num_threads=2)
    if small:  # instead of NFKC's quarter of a megabyte
        with open(f"{root}/unigram.tsv", "w") as f:
            f.write(RULES)
        settings["normalization_rule_tsv"] = f"{root}/unigram.tsv"
    settings.update(options)
    spm.SentencePieceTrainer.train(**settings)
    os.remove(f"{folder}/spiece.vocab")


def config(folder, **values):
    json.dump({"tokenizer_class": "T5Tokenizer", **values}, open(f"{folder}/tokenizer_config.json", "w"))


def make(root, want, oracle, small):
    os.makedirs(root, exist_ok=True)
    names = [f"<extra_id_{i}>" for i in range(100)]
    if f := want("t5"):  # as published: flan-t5's tokenizer.json
        from transformers import AutoTokenizer
        train(root, f, oracle, small)
        config(f, extra_ids=100, additional_special_tokens=names, eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
               model_max_length=512, sp_model_kwargs={})
        AutoTokenizer.from_pretrained(f)._tokenizer.save(f"{f}/tokenizer.json", pretty=False)
        os.remove(f"{f}/spiece.model")
    if f := want("t5_old"):  # the older spelling: t5-small's tokenizer.json
        from transformers import AutoTokenizer
        train(root, f, oracle, small)
        json.dump({"model_type": "t5"}, open(f"{f}/config.json", "w"))
        data = json.loads(AutoTokenizer.from_pretrained(f)._tokenizer.to_str())
        os.remove(f"{f}/spiece.model")
        old = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "str_rep": "▁"}
        data["normalizer"] = data["normalizer"]["normalizers"][0]
        data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, old]}
        data["decoder"] = old
        json.dump(data, open(f"{f}/tokenizer.json", "w"), ensure_ascii=False)
    if f := want("t5_spiece"):
        train(root, f, oracle, small)
        config(f)
    if f := want("t5_spiece_new"):
        train(root, f, oracle, small, user_defined_symbols=["ADD", "<mask>"], control_symbols=["<ctl>"])
        config(f, extra_ids=4, legacy=False, additional_special_tokens=names[:4] + ["EX"])
        json.dump({"eos_token": {"content": "</s>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False},
                   "additional_special_tokens": ["EX2"]}, open(f"{f}/special_tokens_map.json", "w"))
    if f := want("t5_spiece_bare"):
        train(root, f, oracle, small, normalization_rule_name="identity", normalization_rule_tsv="")
        config(f, extra_ids=0, add_prefix_space=False)
    if f := want("unigram_bytes"):  # trained by the tokenizers library: scores of full double precision
        t = Tokenizer(models.Unigram())
        t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
        t.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", False)
        with open(text_file(root, oracle)) as text:
            t.train_from_iterator([line.strip() for line in text][:1000], trainers.UnigramTrainer(
                vocab_size=500, unk_token="<unk>", special_tokens=["<s>", "</s>", "<unk>"], show_progress=False))
        data = json.loads(t.to_str())
        data["model"]["byte_fallback"] = True
        data["model"]["vocab"] += [[f"<0x{b:02X}>", 0.0] for b in range(256)] + [["ab", -9.5], ["漢漢", -3.25]]
        data["decoder"] = json.loads(oracle.LLAMA_DECODER.__getstate__())
        os.makedirs(f)
        json.dump(data, open(f"{f}/tokenizer.json", "w"), ensure_ascii=False)
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
                  open(f"{f}/tokenizer_config.json", "w"))
    for name in ("unigram.txt", "unigram.tsv"):
        if os.path.exists(f"{root}/{name}"):
            os.remove(f"{root}/{name}")
