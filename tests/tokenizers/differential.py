"""Compares the tokenizers with transformers' AutoTokenizer on random strings: encode, decode, stream.

python3 differential.py PROBE [STRINGS] [SEED] [KIND ...]     PROBE: the built tokenizer_probe
"""

import random
import subprocess
import sys
import tempfile

import oracle


def hexed(data):
    return data.hex() or "-"


def main():
    from transformers import AutoTokenizer
    from transformers.utils import logging
    logging.set_verbosity_error()
    probe, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    kinds = sys.argv[4:] or None
    root = tempfile.mkdtemp(prefix="tok_diff_")
    bad = 0
    for kind in oracle.make(root, kinds):
        reference = AutoTokenizer.from_pretrained(f"{root}/{kind}")
        rng = random.Random(seed)
        texts = [t.encode() for t in oracle.nasty_corpus()] + oracle.BAD_BYTES
        texts += [oracle.random_text(rng).encode() for _ in range(count)]
        top = len(reference) + 3
        lists = [[rng.randrange(top) for _ in range(rng.randint(0, 24))] for _ in range(count)]
        requests, expected = [], []
        for data in texts:
            text = data.decode("utf-8", errors="replace")
            ids = reference.encode(text)
            plain = reference.encode(text, add_special_tokens=False)
            requests += [f"e {hexed(data)}", f"n {hexed(data)}"]
            expected += [ids, plain]
            lists.append(ids)
            reference._tokenizer.encode_special_tokens = True
            requests.append(f"p {hexed(data)}")
            expected.append(reference._tokenizer.encode(text).ids)
            reference._tokenizer.encode_special_tokens = False
        for ids in lists:
            line = " ".join(map(str, ids))
            requests += [f"d {line}", f"k {line}", f"s {line}"]
            text = reference.decode(ids)
            expected += [text, reference.decode(ids, skip_special_tokens=True), text]
        bad += check(probe, f"{root}/{kind}", requests, expected)
        gguf = f"{root}/{kind}/tokenizer.gguf"
        written = subprocess.run([probe, f"{root}/{kind}", gguf, str(len(reference) + 20)], capture_output=True, text=True)
        if written.returncode == 0:
            bad += check(probe, gguf, requests, expected)
            bad += check_llama_cpp(gguf, kind, texts, reference)
        else:
            print(f"{kind}: no GGUF: {written.stdout.strip()}", flush=True)
    sys.exit(1 if bad else 0)


def check(probe, path, requests, expected):
    kind = "/".join(path.split("/")[3:])
    run = subprocess.run([probe, path], input="\n".join(requests) + "\n", capture_output=True, text=True)
    lines = run.stdout.split("\n")
    if not lines[0].startswith("ok"):
        print(kind, "did not load:", lines[0], run.stderr)
        return 1
    wrong = 0
    for request, want, line in zip(requests, expected, lines[1:]):
        if isinstance(want, list):
            got = [int(x) for x in line.split()] if not line.startswith("!") else line
        elif request[0] == "s":
            got = "".join(bytes.fromhex(p).decode() for p in line.split("|"))
        else:
            got = bytes.fromhex(line).decode()
        if got != want:
            wrong += 1
            if wrong <= 4:
                shown = bytes.fromhex(request[2:].replace("-", "")) if request[0] in "enp" else request[2:]
                print(f"{kind} {request[0]} {shown!r}\n   want {want!r}\n   got  {got!r}")
    if len(lines) - 2 < len(requests):
        print(kind, "ended early", run.stderr[-500:], lines[-2:])
        wrong += 1
    print(f"{kind}: {len(requests)} requests, {wrong} differ", flush=True)
    return wrong


# Kinds whose whole pipeline llama.cpp has; the others lose what its keys do not hold.
LLAMA_CPP_EXACT = {"gpt2", "llama3", "smollm", "bloom", "vocab_merges"}


def check_llama_cpp(gguf, kind, texts, reference):
    """llama.cpp must load every file we write, and agree where its keys hold the whole pipeline."""
    try:
        import llama_cpp
    except ImportError:
        return 0
    model = llama_cpp.Llama(model_path=gguf, vocab_only=True, verbose=False)
    if kind not in LLAMA_CPP_EXACT:
        return 0
    wrong = 0
    for data in texts:
        text = data.decode("utf-8", errors="replace")
        if not text or "'\u017f" in text:  # (?i:'s) matches this long s, llama.cpp's form of it does not
            continue
        want, got = reference.encode(text), model.tokenize(text.encode(), add_bos=True, special=True)
        if got != want:
            wrong += 1
            if wrong <= 3:
                print(f"{kind} llama.cpp {text!r}\n   want {want}\n   got  {got}")
    print(f"{kind} in llama.cpp: {len(texts)} texts, {wrong} differ", flush=True)
    return 0  # told, not counted: llama.cpp's own Unicode tables differ here and there


if __name__ == "__main__":
    main()
