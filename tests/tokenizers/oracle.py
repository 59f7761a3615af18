"""Trains one small tokenizer per kind of pipeline with the reference libraries, on text generated here.

Used by make_goldens.py (stored ids) and differential.py (thousands of random strings).
"""

import json
import os
import random
import shutil
import sys

import oracle_unigram
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"

SAMPLES = [
    "The quick brown fox jumps over the lazy dog. It's what they'd've said, isn't it? I'll go; we're DONE.",
    "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë au delà des îles.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. İstanbul'da ışık, STRASSE.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ελληνικά: Γαζέες καὶ μυρτιὲς δὲν θὰ βρῶ.",
    "日本語の文章です。漢字とカタカナとひらがな。中文分词测试，今天天气很好！ 한국어 문장도 있습니다.",
    "هذا نص عربي للاختبار ١٢٣٤٥. यह हिन्दी में एक वाक्य है। १२३ ประโยคภาษาไทยไม่มีช่องว่าง שלום עולם",
    "e\u0301 a\u0308 n\u0303 o\u0302\u0323 \u1e9b\u0323 \ufb01 \u2460 \u00bd \uff21\uff22 \u212b \u1100\u1161\u11a8 \uac01",
    "0 1 12 123 1234 12345 1234567890 3.14159 1,000,000 x86_64 ½ ² Ⅷ ٣ ४",
    "  two   three    four\ttab\t\ttabs\n\n\nlines\r\n\r\nend \u00a0nbsp\u3000ideographic\u2003em\u200bzero\u180emvs\x85nel ",
    "😀 👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👍🏽 🇩🇪🇫🇷 ❤\ufe0f ☃ ∑∞≠ ©®™ €£¥",
    "def f(x):\n    return x**2  # comment\n\tif a != b && c <= d { foo->bar(); }\n<html><body class=\"x\">&amp;</body>",
    "\x00\x01\x07\x1b[0m\x7f\u0080\u009f \ufeff bom \ufffd repl \u2028ls\u2029ps \ue000 \U0010ffff \U000e0001",
    "it'S WE'RE don'T 'ſ 'S 'Ll 'vE x's's ''s '' ' s",
    "▁under▁score ▁ ▁▁ <0x41> <0x0A> Ġgpt Ċ ## @@ </w>",
    "http://example.com/a?b=c&d=%20e user@mail.org C:\\path\\file #tag @you $9.99 50% ~!^*()[]{}|",
]
WORDS = ("the of and to in is was for that it on as with his they at be this from have or by one had not but what all were when "
         "water house light river mountain winter summer people little under again because between something nothing through "
         "tokenizer vocabulary international unbelievable 2024 100 7 don't we're").split()


def training_text(seed=1, lines=600):
    rng = random.Random(seed)
    out = list(SAMPLES)
    for _ in range(lines):
        out.append(" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 14))).capitalize() + rng.choice(".!?"))
    return out


def nasty_corpus():
    texts = ["", " ", "  ", "\n", "a", "Hello world", " Hello", "Hello ", "\t x", "a" * 300, "ab" * 200, "é" * 60, "한" * 50,
             "1" * 70, " " * 50 + "x", "x" + "\n" * 30 + "y", "\r\n \r\n  \n x", "!?" * 40, "x\u00a0y\u3000z\u2003"]
    texts += SAMPLES
    texts += [s[i:] for s in SAMPLES for i in (1, 7)]
    texts += [a + b for a in ("<s>", "</s>", "<|endoftext|>", "<unk>", "<|im_start|>", "<extra_id_0>") for b in ("", " x", "x", "  x\n")]
    texts += ["Hi <s> there</s>", "a<|endoftext|>b <|endoftext|> c", "x <mask> y", "x<mask>y", "  <mask>  ", "wordADD ADD ADDx xADD",
              "<|im_start|>user\nHi<|im_end|>\n", "<s><s></s>", " <s>", "pre  <pad>  post", "<|endof", "café cafe\u0301 CAFÉ", "= = ===== -------- ........ aaaaaaa lalalala ababab", "x <extra_id_1> y<extra_id_99>z", "漢漢 漢漢漢"]
    return texts


BAD_BYTES = [b"\xff", b"a\xffb", b"\xe2\x82", b"x\xe2\x82y", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80",
             b"\xf0\x9f\x98\xf0\x9f\x98\x80", b"caf\xe9 ol\xe9", b"\x80\x80", b"\xe3\x81\x82\xe3\x81"]


def random_text(rng):
    alphabet = rng.choice(["ascii", "mixed", "space", "uni", "words", "token"])
    n = rng.randint(0, 40)
    if alphabet == "ascii":
        return "".join(chr(rng.randint(0, 127)) for _ in range(n))
    if alphabet == "space":
        return "".join(rng.choice(" \t\n\r\u00a0\u3000\u2028\x85\u180e\x0b\x0ca1.'▁") for _ in range(n))
    if alphabet == "uni":
        out = []
        while len(out) < n:
            c = rng.choice([rng.randint(0, 0x24F), rng.randint(0, 0xFFFF), rng.randint(0, 0x1FFFF), rng.randint(0x300, 0x36F)])
            if not 0xD800 <= c <= 0xDFFF:
                out.append(chr(c))
        return "".join(out)
    if alphabet == "words":
        return " ".join(rng.choice(WORDS) for _ in range(n))
    if alphabet == "token":
        pieces = ["<s>", "</s>", "<|endoftext|>", "<mask>", "<pad>", "<unk>", "ADD", " ", "  ", "x", "é", "\n", "'s", "<", "|", "▁"]
        return "".join(rng.choice(pieces) for _ in range(n // 2))
    s = "".join(rng.choice(SAMPLES) for _ in range(2))
    i = rng.randint(0, len(s))
    t = list(s[i:i + n])
    if rng.random() < 0.3:
        rng.shuffle(t)
    return "".join(t)


def save(folder, tokenizer, config=None, model_type=None):
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(f"{folder}/tokenizer.json", pretty=False)
    if config is not None:
        json.dump(config, open(f"{folder}/tokenizer_config.json", "w"))
    if model_type:
        json.dump({"model_type": model_type, "vocab_size": tokenizer.get_vocab_size()}, open(f"{folder}/config.json", "w"))


def byte_level_bpe(size, normalizer=None, pre=None, post=None, special=("<|endoftext|>",), **options):
    t = Tokenizer(models.BPE(**options))
    t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = post or processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(training_text(), trainer)
    return t


def split_pre(regex):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def metaspace_bpe(size, normalizer, pre, decoder, post=None, fuse_unk=True, byte_fallback=True):
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=byte_fallback))
    t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, limit_alphabet=160)
    # Trained with words split at the mark; used without a split, as sentencepiece's conversions are.
    text = training_text()
    if normalizer is not None and pre is None:
        t.normalizer = None
    t.train_from_iterator(text, trainer)
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre, decoder
    if post:
        t.post_processor = post
    data = json.loads(t.to_str())
    data["added_tokens"] = [a for a in data["added_tokens"] if a["content"] in ("<unk>", "<s>", "</s>")]
    return Tokenizer.from_str(json.dumps(data))


LLAMA_DECODER = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
EXTRA = [AddedToken("<mask>", lstrip=True, special=True), AddedToken("<pad>", rstrip=True, special=True),
         AddedToken("ADD", single_word=True, normalized=False), AddedToken("café", normalized=True)]


def make(root, kinds=None, small=False):
    """Writes {root}/{kind} for every kind and returns the names. small: short character maps."""
    if os.path.isdir(root):
        shutil.rmtree(root)
    B, N = pre_tokenizers.ByteLevel, normalizers
    made = []

    def want(kind):
        if kinds is None or kind in kinds:
            made.append(kind)
            return f"{root}/{kind}"
        return None

    if f := want("gpt2"):
        save(f, byte_level_bpe(700), {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                                      "unk_token": "<|endoftext|>", "clean_up_tokenization_spaces": True}, "gpt2")
    if f := want("gpt2_added"):
        t = byte_level_bpe(600, pre=B(add_prefix_space=True))
        t.add_tokens(EXTRA)
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": True, "eos_token": "<|endoftext|>"})
    if f := want("llama3"):
        t = byte_level_bpe(700, pre=split_pre(LLAMA3), special=("<s>", "</s>", "<|im_start|>", "<|im_end|>"), ignore_merges=True)
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", t.token_to_id("<s>"))])])
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}, "llama")
    if f := want("smollm"):
        t = byte_level_bpe(650, pre=pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), B(add_prefix_space=False)]),
                           special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
        save(f, t, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>",
                    "unk_token": "<|endoftext|>", "add_prefix_space": False}, "llama")
    if f := want("qwen2"):
        t = byte_level_bpe(700, normalizer=N.NFC(), pre=split_pre(QWEN2), special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
        save(f, t, {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                    "add_prefix_space": False, "clean_up_tokenization_spaces": False}, "qwen2")
    if f := want("neox"):
        t = byte_level_bpe(650, normalizer=N.NFC(), special=("<|endoftext|>", "<|padding|>"))
        t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(2, 9)])
        save(f, t, {"tokenizer_class": "GPTNeoXTokenizer", "add_bos_token": True, "add_eos_token": True}, "gpt_neox")
    if f := want("bloom"):
        t = byte_level_bpe(650, pre=split_pre(BLOOM), special=("<unk>", "<s>", "</s>", "<pad>"))
        save(f, t, {"tokenizer_class": "BloomTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}, "bloom")
    if f := want("opt"):
        t = byte_level_bpe(600, special=("<s>", "<pad>", "</s>", "<unk>"))
        t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
        t.add_tokens(EXTRA[:1])
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"})
    if f := want("llama_legacy"):
        t = metaspace_bpe(800, N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, LLAMA_DECODER)
        save(f, t, {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                    "add_bos_token": True, "add_eos_token": False, "legacy": True}, "llama")
    if f := want("llama_new"):
        t = metaspace_bpe(800, None, pre_tokenizers.Metaspace("▁", "first", False), LLAMA_DECODER)
        t.add_tokens([AddedToken("ADD", normalized=False), AddedToken("<pad>", special=True)])
        save(f, t, {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                    "add_bos_token": False, "add_eos_token": True, "legacy": False}, "llama")
    if f := want("metaspace"):
        t = metaspace_bpe(500, N.Sequence([N.NFKC(), N.Lowercase(), N.Strip()]), pre_tokenizers.Metaspace("▁", "always", True),
                          decoders.Metaspace("▁", "always", True), fuse_unk=False, byte_fallback=False)
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast"})
    if f := want("mixed"):
        t = byte_level_bpe(500, normalizer=N.Sequence([N.NFD(), N.StripAccents(), N.Replace(Regex(r"\s{2,}"), " "), N.Nmt()]),
                           pre=pre_tokenizers.Sequence([pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.WhitespaceSplit(),
                                                        pre_tokenizers.Digits(False), B(add_prefix_space=True, use_regex=False)]))
        t.add_tokens(EXTRA)
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": True})
    if f := want("words"):
        t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Split("e", "merged_with_next"),
                                                   pre_tokenizers.Split(Regex("[aeiou]+"), "contiguous", invert=True)])
        t.decoder = decoders.BPEDecoder("</w>")
        t.train_from_iterator(training_text(), trainers.BpeTrainer(
            vocab_size=500, special_tokens=["<unk>", "<s>"], show_progress=False, continuing_subword_prefix="##",
            end_of_word_suffix="</w>", limit_alphabet=120))
        save(f, t, {"tokenizer_class": "PreTrainedTokenizerFast"})
    if f := want("vocab_merges"):
        t = byte_level_bpe(600)
        os.makedirs(f)
        t.model.save(f)
        json.dump({"model_type": "gpt2"}, open(f"{f}/config.json", "w"))
        json.dump({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": False}, open(f"{f}/tokenizer_config.json", "w"))
    if f := want("vocab_merges_bos"):
        t = byte_level_bpe(600, special=("<s>", "<pad>", "</s>", "<unk>"))
        os.makedirs(f)
        t.model.save(f)
        json.dump({"model_type": "opt"}, open(f"{f}/config.json", "w"))
        json.dump({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "errors": "replace",
                   "unk_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False},
                   "bos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False},
                   "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False},
                   "pad_token": {"__type": "AddedToken", "content": "<pad>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False}},
                  open(f"{f}/tokenizer_config.json", "w"))
    oracle_unigram.make(root, want, sys.modules[__name__], small)
    return made
