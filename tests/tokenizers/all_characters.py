"""Encodes every Unicode character between letters and digits and compares with the `tokenizers` library, for the stored goldens.

python3 all_characters.py PROBE [KIND ...]: prints the characters whose class, normal form or case the two see differently.
"""

import os
import subprocess
import sys

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    probe, kinds = sys.argv[1], sys.argv[2:] or ["gpt2", "smollm", "qwen2", "mixed", "metaspace"]
    codes = [c for c in [*range(0x110), *range(0x110, 0x32000), *range(0xE0000, 0xE0200)] if not 0xD800 <= c <= 0xDFFF]
    for kind in kinds:
        reference = Tokenizer.from_file(f"{HERE}/golden/{kind}/tokenizer.json")
        texts = [f"a{chr(c)}1 {chr(c)}b" for c in codes]
        requests = "".join(f"n {t.encode().hex()}\n" for t in texts)
        run = subprocess.run([probe, f"{HERE}/golden/{kind}"], input=requests, capture_output=True, text=True)
        lines = run.stdout.split("\n")[1:]
        wrong = [c for c, t, line in zip(codes, texts, lines)
                 if [int(x) for x in line.split()] != reference.encode(t, add_special_tokens=False).ids]
        ranges = []
        for c in wrong:
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
        print(f"{kind}: {len(wrong)} of {len(codes)} characters differ:", " ".join(f"{a:X}-{b:X}" for a, b in ranges[:60]), flush=True)


if __name__ == "__main__":
    main()
