"""Writes golden/<kind>/: a small tokenizer of every kind, and cases.txt with what the reference libraries make of a nasty corpus.

A line of cases.txt is "request<TAB>answer" in the form of tokenizer_probe.cpp: e, n: ids; d, k: text in hexadecimal.
"""

import os
import random
import shutil
import tempfile

import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["gpt2", "gpt2_added", "llama3", "smollm", "qwen2", "neox", "bloom", "opt", "llama_legacy", "llama_new", "metaspace", "mixed",
         "vocab_merges_bos", "t5", "t5_old", "t5_spiece", "t5_spiece_new", "t5_spiece_bare", "unigram_bytes"]


def hexed(data):
    return data.hex() or "-"


def cases(reference, seed=7):
    rng = random.Random(seed)
    lines = []
    texts = [t.encode() for t in oracle.nasty_corpus()] + oracle.BAD_BYTES + [oracle.random_text(rng).encode() for _ in range(30)]
    for i, data in enumerate(texts):
        text = data.decode("utf-8", errors="replace")
        ids = reference.encode(text)
        lines.append(f"e {hexed(data)}\t{' '.join(map(str, ids))}")
        if i % 4 == 0:
            lines.append(f"n {hexed(data)}\t{' '.join(map(str, reference.encode(text, add_special_tokens=False)))}")
        if i % 3 == 0:
            lines.append(f"d {' '.join(map(str, ids))}\t{hexed(reference.decode(ids).encode())}")
    for _ in range(40):
        ids = [rng.randrange(len(reference) + 3) for _ in range(rng.randint(1, 16))]
        line = " ".join(map(str, ids))
        lines.append(f"d {line}\t{hexed(reference.decode(ids).encode())}")
        lines.append(f"k {line}\t{hexed(reference.decode(ids, skip_special_tokens=True).encode())}")
    return lines


def main():
    from transformers import AutoTokenizer
    golden = f"{HERE}/golden"
    if os.path.isdir(golden):
        shutil.rmtree(golden)
    with tempfile.TemporaryDirectory() as root:
        for kind in oracle.make(root, KINDS, small=True):
            shutil.copytree(f"{root}/{kind}", f"{golden}/{kind}")
            with open(f"{golden}/{kind}/cases.txt", "w") as f:
                f.write("\n".join(cases(AutoTokenizer.from_pretrained(f"{golden}/{kind}"))) + "\n")
        import differential_sp
        import sentencepiece
        for name in differential_sp.make(f"{root}/sp", small=True):
            folder = f"{golden}/sp_{name}"
            shutil.copytree(f"{root}/sp/{name}", folder)
            sp = sentencepiece.SentencePieceProcessor(f"{folder}/tokenizer.model")
            with open(f"{folder}/cases.txt", "w") as f:
                for text in oracle.nasty_corpus():
                    text = text.replace("\0", " ")
                    f.write(f"r {hexed(text.encode())}\t{' '.join(map(str, sp.encode(text)))}\n")


if __name__ == "__main__":
    main()
