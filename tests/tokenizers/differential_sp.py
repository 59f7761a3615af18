"""Compares tokenizer.model folders with sentencepiece (plain ids), transformers' LlamaTokenizer (special tokens) and the fast
tokenizer that AutoTokenizer makes of them (decoding).

python3 differential_sp.py PROBE [STRINGS] [SEED]
"""

import json
import os
import random
import subprocess
import sys
import tempfile

import oracle

VARIANTS = {
    "llama": dict(byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "nmt": dict(byte_fallback=False, normalization_rule_name="nmt_nfkc"),
    "nfkc_user": dict(byte_fallback=True, normalization_rule_name="nfkc", user_defined_symbols=["ADD", "<mask>", "  "],
                      control_symbols=["<pad>"]),
    "suffix": dict(byte_fallback=True, treat_whitespace_as_suffix=True, remove_extra_whitespaces=False),
    "plain": dict(byte_fallback=False, add_dummy_prefix=False, normalization_rule_name="identity", remove_extra_whitespaces=False),
}


def make(root, small=False):
    """small: character maps of a few entries instead of NFKC's quarter of a megabyte."""
    import sentencepiece as spm
    os.makedirs(root, exist_ok=True)
    with open(f"{root}/text.txt", "w") as f:
        for line in oracle.training_text():
            f.write(line.replace("\n", " ").replace("\0", " ") + "\n")
    with open(f"{root}/rules.tsv", "w") as f:
        f.write("FF21\t41\nFF22\t42\nFB01\t66 69\n3000\t20\nA0\t20\n9\t20\n65 301\tE9\n2460\t31\n")
    for name, options in VARIANTS.items():
        options = dict(options)
        if small and options.get("normalization_rule_name", "nmt_nfkc") != "identity":
            options.pop("normalization_rule_name", None)
            options["normalization_rule_tsv"] = f"{root}/rules.tsv"
        folder = f"{root}/{name}"
        os.makedirs(folder)
        spm.SentencePieceTrainer.train(input=f"{root}/text.txt", model_prefix=f"{folder}/tokenizer", model_type="bpe", vocab_size=700,
                                       character_coverage=0.985, minloglevel=2, **options)
        os.remove(f"{folder}/tokenizer.vocab")
        json.dump({"tokenizer_class": "LlamaTokenizer", "legacy": True, "add_bos_token": True, "add_eos_token": name == "nmt",
                   "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, open(f"{folder}/tokenizer_config.json", "w"))
    return list(VARIANTS)


def ask(probe, path, requests):
    run = subprocess.run([probe, path], input="\n".join(requests) + "\n", capture_output=True, text=True)
    lines = run.stdout.split("\n")
    assert lines[0].startswith("ok"), (path, lines[0], run.stderr)
    return lines[1:]


def main():
    import sentencepiece as spm
    from transformers import AutoTokenizer, LlamaTokenizer
    from transformers.utils import logging
    logging.set_verbosity_error()
    probe, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    root = tempfile.mkdtemp(prefix="tok_sp_")
    bad = 0
    for name in make(root):
        folder = f"{root}/{name}"
        sp = spm.SentencePieceProcessor(f"{folder}/tokenizer.model")
        slow = LlamaTokenizer.from_pretrained(folder)
        fast = AutoTokenizer.from_pretrained(folder)
        rng = random.Random(seed)
        texts = oracle.nasty_corpus() + [oracle.random_text(rng) for _ in range(count)]
        texts = [t.replace("\0", " ") for t in texts]
        requests, expected = [], []
        for text in texts:
            requests.append("r " + (text.encode().hex() or "-"))
            expected.append(sp.encode(text))
            if name == "llama":
                requests.append("e " + (text.encode().hex() or "-"))
                expected.append(slow.encode(text))
        for _ in range(count):
            ids = [rng.randrange(sp.vocab_size()) for _ in range(rng.randint(0, 20))]
            if name in ("llama", "plain"):
                for kind in "ds":
                    requests.append(kind + " " + " ".join(map(str, ids)))
                    expected.append(fast.decode(ids))
        wrong = 0
        gguf = f"{folder}/tokenizer.gguf"
        subprocess.run([probe, folder, gguf, "960"], check=True)
        for path in (folder, gguf):
            for request, want, line in zip(requests, expected, ask(probe, path, requests)):
                if isinstance(want, list):
                    got = [int(x) for x in line.split()]
                else:
                    got = b"".join(bytes.fromhex(p) for p in line.split("|")).decode()
                if got != want:
                    wrong += 1
                    if wrong <= 5:
                        shown = bytes.fromhex(request[2:].replace("-", "")).decode() if request[0] in "re" else request
                        print(f"{name} {os.path.basename(path)} {request[0]} {shown!r}\n   want {want!r}\n   got  {got!r}")
                        if isinstance(want, list):
                            print("   ", [sp.id_to_piece(i) for i in want if i < 700], [sp.id_to_piece(i) for i in got if i < 700])
        print(f"{name}: {2 * len(requests)} requests, {wrong} differ", flush=True)
        bad += wrong
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
