#!/usr/bin/env python3
"""Writes tools/eval/title_case.inc: the characters whose title case is more than one character, by Python's str.capitalize()."""
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "eval", "title_case.inc")
with open(path, "w") as out:
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        title = chr(code).capitalize()
        if len(title) > 1:
            octal = "".join(f"\\{byte:03o}" for byte in title.encode())
            out.write(f'{{0x{code:x}, "{octal}"}},\n')
